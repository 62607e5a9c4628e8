"""Nowcasts as files for other software: CF NetCDF, Cloud-Optimised GeoTIFF, and STAC items that describe them."""
