"""What an edge of a cohort costs: each a `Transfer` of `evonas.transfer`."""
