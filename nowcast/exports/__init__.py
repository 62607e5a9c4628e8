"""Nowcasts as files that other software opens: CF NetCDF, Cloud-Optimised GeoTIFF, and STAC items that describe them."""
