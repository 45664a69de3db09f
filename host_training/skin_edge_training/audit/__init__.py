"""Which pictures are the same picture, inside and across sets, and what else gives the label away."""
