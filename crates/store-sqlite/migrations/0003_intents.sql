-- The fingerprint of the refresh token that the last holder was about to send, and whose answer is
-- not known. It stays until it is taken back; another token in `credentials` makes it void.
ALTER TABLE leases ADD COLUMN sent BLOB;
