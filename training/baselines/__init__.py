"""Offline systems of others to compare with: NMF, U-Net, basic-pitch, ideal masks."""
