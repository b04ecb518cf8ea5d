"""What anybody may see, signed in or not: works on view, their files, feeds and embeds; and what machines are told."""
