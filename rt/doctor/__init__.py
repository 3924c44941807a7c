"""Is this machine ready for a show: one finding for each thing that has ruined one, with its remedy."""
