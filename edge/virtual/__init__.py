"""Virtual wearables on a virtual radio, for the demo and the tests; the only place that knows bumble."""
