"""Copy trading: reads what masters do from the journal, and has the engine do it in their followers."""
