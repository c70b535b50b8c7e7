"""How cost grows with the size of the work and with the number of devices."""
