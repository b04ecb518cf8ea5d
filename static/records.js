// The records' theme brings htmx, which would write a style into the page: the policy forbids that, and nobody needs it.
htmx.config.includeIndicatorStyles = false;
