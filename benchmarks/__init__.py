"""What the speed claims rest on. Each module prints its figures as ratios to a peer measured in the same process."""
