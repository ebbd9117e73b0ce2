"""What we would like to do: the condor, the three hedge layers and the readings that trigger them. Pure."""
