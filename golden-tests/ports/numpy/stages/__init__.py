"""One file per stage, float64, written from the equations and from nothing else of this project."""
