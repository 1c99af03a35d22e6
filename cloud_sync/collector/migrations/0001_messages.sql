-- Every kind of message has a table of its own, so that each is kept as long as it should be; in all of them a row is one
-- message. `at` is the message's own time, the same whenever it is sent again: partitions go by it, so that a message that
-- comes twice meets itself; `ends` is the end of what it tells. `home` is part of the key: no home can take another's ids.
-- Views unfold the bodies and let the highest revision stand.

-- Whether TimescaleDB keeps the tables in chunks; without it, PostgreSQL's own partitions do.
CREATE FUNCTION hearthbeat.has_timescale() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') $$;

-- The tables of messages, and the words of [retention] that say how long each is kept.
CREATE TABLE hearthbeat.kinds (name text PRIMARY KEY, kept_as text NOT NULL);
INSERT INTO hearthbeat.kinds VALUES
    ('minute_messages', 'minutes'), ('hour_messages', 'hours'), ('day_messages', 'days'),
    ('assessment_messages', 'hours'), ('alert_messages', 'alerts'), ('fault_messages', 'alerts'),
    ('result_messages', 'alerts'), ('model_messages', 'alerts'), ('device_messages', 'health'), ('health_messages', 'health');

DO $$
DECLARE kind text;
BEGIN
    FOR kind IN SELECT name FROM hearthbeat.kinds LOOP
        EXECUTE format(
            'CREATE TABLE hearthbeat.%I (
                home text NOT NULL, id uuid NOT NULL, at timestamptz NOT NULL, ends timestamptz NOT NULL, person text,
                received timestamptz NOT NULL, body jsonb NOT NULL, PRIMARY KEY (home, id, at)) %s',
            kind, CASE WHEN hearthbeat.has_timescale() THEN '' ELSE 'PARTITION BY RANGE (at)' END);
        EXECUTE format('CREATE INDEX ON hearthbeat.%I (home, person, ends)', kind);
        IF hearthbeat.has_timescale() THEN
            EXECUTE format(
                'SELECT %s.create_hypertable(%L, ''at'', chunk_time_interval => interval ''1 month'')',
                (SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'timescaledb'),
                'hearthbeat.' || kind);
        END IF;
    END LOOP;
END $$;

-- What was sealed to a household's key, which nobody here has.
CREATE TABLE hearthbeat.sealed (
    home text NOT NULL, id uuid NOT NULL, kind text NOT NULL, person text, received timestamptz NOT NULL,
    payload bytea NOT NULL, PRIMARY KEY (home, id));

-- What could not be read: `digest` is SHA-256 of topic and payload, `payload` its beginning, `bytes` its whole size.
CREATE TABLE hearthbeat.refused (
    digest bytea PRIMARY KEY, topic text NOT NULL, reason text NOT NULL, why text NOT NULL, payload bytea NOT NULL,
    bytes integer NOT NULL, first_received timestamptz NOT NULL, last_received timestamptz NOT NULL,
    times integer NOT NULL DEFAULT 1);
CREATE INDEX ON hearthbeat.refused (last_received);

-- Whether each home is connected to the broker, as it or its last will has said newest.
CREATE TABLE hearthbeat.homes (home text PRIMARY KEY, online boolean NOT NULL, since timestamptz NOT NULL);

-- Makes the month that begins at `month` in every table; does nothing where it is there. It belongs to the tables' owner
-- and acts as it, so that a collector's role needs no more than to insert.
CREATE FUNCTION hearthbeat.make_month(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    kind text;
    first timestamptz := date_trunc('month', month);
BEGIN
    IF hearthbeat.has_timescale() THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('hearthbeat partitions'));
    FOR kind IN SELECT name FROM hearthbeat.kinds LOOP
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS hearthbeat.%I PARTITION OF hearthbeat.%I FOR VALUES FROM (%L) TO (%L)',
            kind || to_char(first, '_YYYY_MM'), kind, first, first + interval '1 month');
    END LOOP;
END $$;

-- Drops the months of the tables kept as `word` that end before `before`, and says how many partitions that were.
CREATE FUNCTION hearthbeat.drop_months(word text, before timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    kind text;
    part regclass;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('hearthbeat partitions'));
    FOR kind IN SELECT name FROM hearthbeat.kinds WHERE kept_as = word LOOP
        IF hearthbeat.has_timescale() THEN
            EXECUTE format(
                'SELECT count(*) FROM %s.drop_chunks(%L, older_than => %L::timestamptz)',
                (SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'timescaledb'),
                'hearthbeat.' || kind, before)
                INTO dropped;
            CONTINUE;
        END IF;
        FOR part IN
            SELECT inhrelid::regclass FROM pg_inherits
            WHERE inhparent = ('hearthbeat.' || quote_ident(kind))::regclass
              AND to_date(right(inhrelid::regclass::text, 7), 'YYYY_MM') + interval '1 month' <= before
        LOOP
            EXECUTE format('DROP TABLE %s', part);
            dropped := dropped + 1;
        END LOOP;
    END LOOP;
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION hearthbeat.make_month, hearthbeat.drop_months FROM PUBLIC;
