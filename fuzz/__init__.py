"""Damaged radar files by the thousand, made from real ones and judged by the decoders and by ingest's checks."""
