-- The first schema. Every row has a tenant, and every unique index starts with it, so that a name
-- taken in one tenant is free in another. Instants are whole seconds, flags 0 or 1, `json` in TEXT.
-- Text is compared by its bytes, whatever the language of the database is.

CREATE TABLE servers (
    tenant_id               TEXT COLLATE "C" NOT NULL,
    id                      TEXT COLLATE "C" NOT NULL,
    slug                    TEXT COLLATE "C" NOT NULL,
    display_name            TEXT COLLATE "C" NOT NULL,
    url                     TEXT COLLATE "C" NOT NULL,
    auth                    TEXT COLLATE "C" NOT NULL,
    allow_private           BIGINT NOT NULL,
    enabled                 BIGINT NOT NULL,
    created_at              BIGINT NOT NULL,
    updated_at              BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE UNIQUE INDEX servers_slug ON servers (tenant_id, slug);

CREATE TABLE registrations (
    tenant_id               TEXT COLLATE "C" NOT NULL,
    id                      TEXT COLLATE "C" NOT NULL,
    server_id               TEXT COLLATE "C" NOT NULL,
    issuer                  TEXT COLLATE "C" NOT NULL,
    origin                  TEXT COLLATE "C" NOT NULL,
    client_id               TEXT COLLATE "C" NOT NULL,
    auth_method             TEXT COLLATE "C" NOT NULL,
    redirect_uri            TEXT COLLATE "C",
    secret_expires_at       BIGINT,
    registration_client_uri TEXT COLLATE "C",
    sealed                  BYTEA NOT NULL,
    is_current              BIGINT NOT NULL,
    created_at              BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX registrations_current
    ON registrations (tenant_id, server_id, issuer) WHERE is_current = 1;
CREATE INDEX registrations_server ON registrations (tenant_id, server_id);

CREATE TABLE credentials (
    tenant_id               TEXT COLLATE "C" NOT NULL,
    server_id               TEXT COLLATE "C" NOT NULL,
    user_id                 TEXT COLLATE "C" NOT NULL,
    account                 TEXT COLLATE "C" NOT NULL,
    version                 BIGINT NOT NULL,
    fingerprint             BYTEA NOT NULL,
    issuer                  TEXT COLLATE "C" NOT NULL,
    token_endpoint          TEXT COLLATE "C" NOT NULL,
    revocation_endpoint     TEXT COLLATE "C",
    resource                TEXT COLLATE "C" NOT NULL,
    registration_id         TEXT COLLATE "C",
    scopes_requested        TEXT COLLATE "C" NOT NULL,
    scopes_granted          TEXT COLLATE "C" NOT NULL,
    obtained_at             BIGINT NOT NULL,
    expires_at              BIGINT,
    is_refreshable          BIGINT NOT NULL,
    sealed                  BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, server_id, user_id, account),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE connections (
    tenant_id               TEXT COLLATE "C" NOT NULL,
    server_id               TEXT COLLATE "C" NOT NULL,
    user_id                 TEXT COLLATE "C" NOT NULL,
    account                 TEXT COLLATE "C" NOT NULL,
    standing                TEXT COLLATE "C" NOT NULL,
    reason                  TEXT COLLATE "C",
    challenge               TEXT COLLATE "C",
    step_ups                BIGINT NOT NULL,
    updated_at              BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, server_id, user_id, account),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE sign_ins (
    tenant_id               TEXT COLLATE "C" NOT NULL,
    id                      TEXT COLLATE "C" NOT NULL,
    server_id               TEXT COLLATE "C" NOT NULL,
    user_id                 TEXT COLLATE "C" NOT NULL,
    account                 TEXT COLLATE "C" NOT NULL,
    state_mac               BYTEA NOT NULL,
    sealed                  BYTEA NOT NULL,
    created_at              BIGINT NOT NULL,
    expires_at              BIGINT NOT NULL,
    taken_at                BIGINT,
    outcome                 TEXT COLLATE "C",
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX sign_ins_open
    ON sign_ins (tenant_id, server_id, user_id, account) WHERE outcome IS NULL;
CREATE UNIQUE INDEX sign_ins_state ON sign_ins (tenant_id, state_mac);
CREATE INDEX sign_ins_server ON sign_ins (tenant_id, server_id);
-- Only to find the tenant of a callback; it promises nothing.
CREATE INDEX sign_ins_locate ON sign_ins (state_mac);

-- A row outlives its holder, so that the epoch never starts again.
CREATE TABLE leases (
    tenant_id               TEXT COLLATE "C" NOT NULL,
    server_id               TEXT COLLATE "C" NOT NULL,
    user_id                 TEXT COLLATE "C" NOT NULL,
    account                 TEXT COLLATE "C" NOT NULL,
    owner                   TEXT COLLATE "C" NOT NULL,
    epoch                   BIGINT NOT NULL,
    expires_at_ms           BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, server_id, user_id, account),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE api_tokens (
    tenant_id               TEXT COLLATE "C" NOT NULL,
    id                      TEXT COLLATE "C" NOT NULL,
    user_id                 TEXT COLLATE "C" NOT NULL,
    name                    TEXT COLLATE "C" NOT NULL,
    mac                     BYTEA NOT NULL,
    servers                 TEXT COLLATE "C",
    created_at              BIGINT NOT NULL,
    expires_at              BIGINT,
    PRIMARY KEY (tenant_id, id)
);

CREATE UNIQUE INDEX api_tokens_mac ON api_tokens (tenant_id, mac);
-- Only to find the tenant of a request; it promises nothing.
CREATE INDEX api_tokens_locate ON api_tokens (mac);

-- `tenant_id` is empty for the installation's own keys: NULL would not be unique.
-- Wrapped, and read before any tenant is known.
CREATE TABLE vault_keys (
    tenant_id               TEXT COLLATE "C" NOT NULL,
    purpose                 TEXT COLLATE "C" NOT NULL,
    generation              BIGINT NOT NULL,
    kek_id                  BYTEA NOT NULL,
    wrapped                 BYTEA NOT NULL,
    created_at              BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, purpose, generation)
);

-- Counts the writing transactions of a tenant. In several rows, so that they commit side by side.
CREATE TABLE epochs (
    tenant_id               TEXT COLLATE "C" NOT NULL,
    shard                   BIGINT NOT NULL,
    epoch                   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, shard)
) WITH (fillfactor = 50);

-- The second fence (G3). `app.tenant` holds for one transaction; no tenant is called `*` or `?`.
--     ''  or unset: nothing is seen
--     '*' the wrapped keys
--     '?' what the two functions below read; it helps the owner of the tables alone
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['servers', 'registrations', 'credentials', 'connections', 'sign_ins',
        'leases', 'api_tokens', 'vault_keys', 'epochs']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        -- Of the owner as well.
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I USING (%s = current_setting(''app.tenant'', true))',
            name, CASE name WHEN 'vault_keys' THEN quote_literal('*') ELSE 'tenant_id' END);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['sign_ins', 'api_tokens', 'epochs'] LOOP
        EXECUTE format('CREATE POLICY locate ON %I FOR SELECT TO CURRENT_USER
            USING (current_setting(''app.tenant'', true) = ''?'')', name);
    END LOOP;
END $$;

-- Finds the one tenant with this MAC; a MAC planted in a second tenant finds nobody.
CREATE FUNCTION locate(mac_sent BYTEA) RETURNS TEXT
LANGUAGE plpgsql SECURITY DEFINER SET search_path = claviger, pg_temp AS $$
DECLARE
    before  TEXT := pg_catalog.current_setting('app.tenant', true);
    tenants TEXT[];
BEGIN
    PERFORM pg_catalog.set_config('app.tenant', '?', true);
    SELECT pg_catalog.array_agg(tenant_id) INTO tenants FROM (
        (SELECT tenant_id FROM sign_ins WHERE state_mac = mac_sent LIMIT 2)
        UNION ALL
        (SELECT tenant_id FROM api_tokens WHERE mac = mac_sent LIMIT 2)
    ) AS located;
    PERFORM pg_catalog.set_config('app.tenant', coalesce(before, ''), true);
    RETURN CASE WHEN pg_catalog.cardinality(tenants) = 1 THEN tenants[1] END;
END $$;

-- How many writing transactions there were in all tenants: a number that tells nothing else.
CREATE FUNCTION count_changes() RETURNS BIGINT
LANGUAGE plpgsql SECURITY DEFINER SET search_path = claviger, pg_temp AS $$
DECLARE
    before TEXT := pg_catalog.current_setting('app.tenant', true);
    total  BIGINT;
BEGIN
    PERFORM pg_catalog.set_config('app.tenant', '?', true);
    SELECT coalesce(pg_catalog.sum(epoch), 0) INTO total FROM epochs;
    PERFORM pg_catalog.set_config('app.tenant', coalesce(before, ''), true);
    RETURN total;
END $$;

REVOKE ALL ON FUNCTION locate(BYTEA), count_changes() FROM PUBLIC;
