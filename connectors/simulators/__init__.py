"""Four simulated systems of an invented firm: real HTTP on loopback, standard library only, no Django."""
