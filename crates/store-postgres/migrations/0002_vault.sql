-- What the vault needs to be kept: the audit log, what is owed to issuers, what changed, and which
-- key every sealed row hangs on, so that a key in use cannot be dropped.
--
-- `key_generation` is the generation of the tenant's key that sealed the row; NULL holds no key, as
-- where nothing is sealed. `key_purpose` is there for the foreign key alone.

-- The fence stands before the owner too; it has to see every row once. It is put up again below.
ALTER TABLE servers NO FORCE ROW LEVEL SECURITY;
ALTER TABLE registrations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE credentials NO FORCE ROW LEVEL SECURITY;
ALTER TABLE sign_ins NO FORCE ROW LEVEL SECURITY;
ALTER TABLE vault_keys NO FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['registrations', 'credentials', 'sign_ins'] LOOP
        EXECUTE format('ALTER TABLE %I
            ADD COLUMN key_purpose TEXT COLLATE "C" NOT NULL DEFAULT ''tenant''
                CHECK (key_purpose = ''tenant''),
            ADD COLUMN key_generation BIGINT', name);
        -- A record begins `CLVS`, version 1, algorithm 1, eight bytes of a KEK, and the generation.
        -- Until now there was only the first.
        EXECUTE format('UPDATE %I AS r SET key_generation = 1
            WHERE length(sealed) >= 98 AND substring(sealed FROM 1 FOR 6) = ''\x434c56530101''
                AND substring(sealed FROM 15 FOR 4) = ''\x00000001''
                AND EXISTS (SELECT FROM vault_keys AS k WHERE k.tenant_id = r.tenant_id
                    AND k.purpose = ''tenant'' AND k.generation = 1)', name);
        EXECUTE format('ALTER TABLE %I ADD FOREIGN KEY (tenant_id, key_purpose, key_generation)
            REFERENCES vault_keys (tenant_id, purpose, generation)', name);
    END LOOP;
END $$;

CREATE INDEX registrations_key ON registrations (tenant_id, key_generation);
CREATE INDEX credentials_user ON credentials (tenant_id, user_id);
CREATE INDEX credentials_key ON credentials (tenant_id, key_generation);

-- The lowest generation among the sealed settings of a server; without a row there are none.
CREATE TABLE server_keys (
    tenant_id               TEXT COLLATE "C" NOT NULL,
    server_id               TEXT COLLATE "C" NOT NULL,
    key_purpose             TEXT COLLATE "C" NOT NULL DEFAULT 'tenant'
        CHECK (key_purpose = 'tenant'),
    key_generation          BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, server_id),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, key_purpose, key_generation)
        REFERENCES vault_keys (tenant_id, purpose, generation)
);

-- In base64 a record begins like this.
INSERT INTO server_keys (tenant_id, server_id, key_generation)
SELECT s.tenant_id, s.id, k.generation
FROM servers AS s JOIN vault_keys AS k
    ON k.tenant_id = s.tenant_id AND k.purpose = 'tenant' AND k.generation = 1
WHERE strpos(s.auth, '"Q0xWUwEB') > 0;

-- Tokens that ended here and that their issuer has not yet confirmed to have ended. The server may
-- be gone by then.
CREATE TABLE revocations (
    tenant_id               TEXT COLLATE "C" NOT NULL,
    id                      TEXT COLLATE "C" NOT NULL,
    server_id               TEXT COLLATE "C" NOT NULL,
    user_id                 TEXT COLLATE "C" NOT NULL,
    account                 TEXT COLLATE "C" NOT NULL,
    server_name             TEXT COLLATE "C" NOT NULL,
    issuer                  TEXT COLLATE "C" NOT NULL,
    sealed                  BYTEA NOT NULL,
    attempts                BIGINT NOT NULL,
    next_at                 BIGINT NOT NULL,
    last_failure            TEXT COLLATE "C",
    created_at              BIGINT NOT NULL,
    key_purpose             TEXT COLLATE "C" NOT NULL DEFAULT 'tenant'
        CHECK (key_purpose = 'tenant'),
    key_generation          BIGINT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, key_purpose, key_generation)
        REFERENCES vault_keys (tenant_id, purpose, generation)
);

-- Chains belong to processes, so a chain goes through all tenants. `tenant_id` is empty for the
-- installation's own business.
CREATE TABLE audit (
    chain                   TEXT COLLATE "C" NOT NULL,
    seq                     BIGINT NOT NULL,
    node                    TEXT COLLATE "C" NOT NULL,
    at                      BIGINT NOT NULL,
    tenant_id               TEXT COLLATE "C" NOT NULL,
    actor                   TEXT COLLATE "C" NOT NULL,
    act                     TEXT COLLATE "C" NOT NULL,
    object                  TEXT COLLATE "C" NOT NULL,
    outcome                 TEXT COLLATE "C" NOT NULL,
    detail                  TEXT COLLATE "C" NOT NULL,
    count                   BIGINT NOT NULL,
    mac                     BYTEA NOT NULL,
    PRIMARY KEY (chain, seq)
);

CREATE INDEX audit_at ON audit (at, chain, seq);
CREATE INDEX audit_tenant ON audit (tenant_id, at);

-- What changed in the last minutes, for whoever keeps rows in memory. Numbers become visible out of
-- order, so a reader asks for what his last snapshot did not show: `xid`. `tenant_id` is `*` for
-- what is the installation's own.
CREATE TABLE changes (
    seq                     BIGINT GENERATED BY DEFAULT AS IDENTITY,
    xid                     XID8   NOT NULL DEFAULT pg_current_xact_id(),
    at                      BIGINT NOT NULL
        DEFAULT (extract(epoch FROM clock_timestamp())::bigint),
    tenant_id               TEXT COLLATE "C" NOT NULL,
    kind                    TEXT COLLATE "C" NOT NULL,
    server_id               TEXT COLLATE "C",
    user_id                 TEXT COLLATE "C",
    account                 TEXT COLLATE "C",
    version                 BIGINT
);

CREATE INDEX changes_xid ON changes (xid);

-- One row: what the database says of itself.
CREATE TABLE installation (
    tenant_id               TEXT COLLATE "C" NOT NULL DEFAULT '' CHECK (tenant_id = ''),
    id                      TEXT COLLATE "C" NOT NULL,
    restore_epoch           BIGINT NOT NULL,
    restored_at             BIGINT,
    is_held                 BIGINT NOT NULL,
    created_at              BIGINT NOT NULL,
    PRIMARY KEY (tenant_id)
);

-- The second fence (G3), of the new tables and again of the old ones. `*` is the installation now:
-- the wrapped keys, its one row, and the audit log. A tenant may add to the log and never read it.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['servers', 'registrations', 'credentials', 'sign_ins', 'vault_keys',
        'server_keys', 'revocations', 'audit', 'changes', 'installation']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['server_keys', 'revocations', 'changes'] LOOP
        EXECUTE format('CREATE POLICY tenant ON %I
            USING (tenant_id = current_setting(''app.tenant'', true))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['audit', 'installation'] LOOP
        EXECUTE format('CREATE POLICY installation ON %I
            USING (current_setting(''app.tenant'', true) = ''*'')', name);
    END LOOP;
END $$;

CREATE POLICY tenant ON audit FOR INSERT
    WITH CHECK (tenant_id IN ('', current_setting('app.tenant', true))
        AND current_setting('app.tenant', true) NOT IN ('', '?'));

CREATE POLICY locate ON changes FOR SELECT TO CURRENT_USER
    USING (current_setting('app.tenant', true) = '?');
CREATE POLICY prune ON changes FOR DELETE TO CURRENT_USER
    USING (current_setting('app.tenant', true) = '?');

-- Every tenant that has a row outside the audit log: names alone. Whoever ever wrote has an epoch.
CREATE FUNCTION list_tenants() RETURNS SETOF TEXT
LANGUAGE plpgsql SECURITY DEFINER SET search_path = claviger, pg_temp AS $$
DECLARE
    before TEXT := pg_catalog.current_setting('app.tenant', true);
    wrote  TEXT[];
    keyed  TEXT[];
    name   TEXT;
BEGIN
    PERFORM pg_catalog.set_config('app.tenant', '?', true);
    wrote := ARRAY(SELECT DISTINCT tenant_id FROM epochs WHERE tenant_id NOT IN ('', '*'));
    PERFORM pg_catalog.set_config('app.tenant', '*', true);
    keyed := ARRAY(SELECT DISTINCT tenant_id FROM vault_keys WHERE tenant_id <> '');
    FOR name IN SELECT u FROM pg_catalog.unnest(wrote || keyed) AS u GROUP BY u ORDER BY u LOOP
        PERFORM pg_catalog.set_config('app.tenant', name, true);
        IF name = ANY (keyed) OR EXISTS (SELECT FROM servers) OR EXISTS (SELECT FROM api_tokens)
            OR EXISTS (SELECT FROM revocations)
        THEN
            RETURN NEXT name;
        END IF;
    END LOOP;
    PERFORM pg_catalog.set_config('app.tenant', coalesce(before, ''), true);
END $$;

-- What every tenant changed that a snapshot did not show, at most so many: names and numbers alone.
CREATE FUNCTION list_changes(since PG_SNAPSHOT, most BIGINT)
RETURNS TABLE (tenant TEXT, what TEXT, server TEXT, person TEXT, called TEXT, counted BIGINT)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = claviger, pg_temp AS $$
DECLARE
    before TEXT := pg_catalog.current_setting('app.tenant', true);
BEGIN
    PERFORM pg_catalog.set_config('app.tenant', '?', true);
    RETURN QUERY SELECT tenant_id, kind, server_id, user_id, account, version FROM changes
        WHERE xid >= pg_catalog.pg_snapshot_xmin(since)
            AND NOT pg_catalog.pg_visible_in_snapshot(xid, since)
        ORDER BY seq LIMIT most;
    PERFORM pg_catalog.set_config('app.tenant', coalesce(before, ''), true);
END $$;

-- Forgets some changes that are older than so many seconds.
CREATE FUNCTION prune_changes(age BIGINT) RETURNS BIGINT
LANGUAGE plpgsql SECURITY DEFINER SET search_path = claviger, pg_temp AS $$
DECLARE
    before TEXT := pg_catalog.current_setting('app.tenant', true);
    oldest BIGINT := extract(epoch FROM pg_catalog.clock_timestamp())::bigint - age;
    pruned BIGINT;
BEGIN
    PERFORM pg_catalog.set_config('app.tenant', '?', true);
    DELETE FROM changes WHERE ctid = ANY (ARRAY(
        SELECT first.place FROM (SELECT ctid AS place, at FROM changes ORDER BY xid LIMIT 10000)
            AS first WHERE first.at < oldest));
    GET DIAGNOSTICS pruned = ROW_COUNT;
    PERFORM pg_catalog.set_config('app.tenant', coalesce(before, ''), true);
    RETURN pruned;
END $$;

REVOKE ALL ON FUNCTION list_tenants(), list_changes(PG_SNAPSHOT, BIGINT), prune_changes(BIGINT)
    FROM PUBLIC;
