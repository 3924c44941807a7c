"""`rtsep batch`: every recording of an archive, on all cores or on a cluster; goes on after a kill."""
