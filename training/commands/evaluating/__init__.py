"""What `rtsep eval --stems`, `rtsep-train eval-pitch`, `eval-singers` and `accompany` ask and print."""
