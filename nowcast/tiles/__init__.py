"""Pictures of fields for maps: palettes, reprojection to web-map tiles, and PNG."""
