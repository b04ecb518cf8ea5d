"""The reviewer's pages: the line of works that wait, one work under a lease, and what is one's own."""
