"""What OGC API Environmental Data Retrieval asks of a nowcast: parameters, cells cut from its grid, encodings."""
