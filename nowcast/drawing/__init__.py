"""Pictures: maps, animations, meteograms, curves, reliability and spectra, all in one look."""
