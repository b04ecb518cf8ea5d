"""Guest passes at the doors: the artist's page, the guest's pages, /v1/guest_passes."""
