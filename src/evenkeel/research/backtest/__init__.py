"""A strategy on history: two engines that agree fill by fill, and the result they share."""
