-- What the messages tell, unfolded: a row is a minute, an hour or a day of one channel, an alert, a wearable.

-- The minutes of a message, one by one: runs are [first minute, how many].
CREATE FUNCTION hearthbeat.minutes_of(runs jsonb) RETURNS SETOF bigint LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT (r.run ->> 0)::bigint + g.step
FROM jsonb_array_elements(runs) WITH ORDINALITY AS r (run, place)
CROSS JOIN LATERAL generate_series(0, (r.run ->> 1)::bigint - 1) AS g (step)
ORDER BY r.place, g.step
$$;

CREATE VIEW hearthbeat.told_minutes AS
SELECT m.home, m.person, c.channel, to_timestamp(f.minute * 60) AS time, coalesce(f.revision::integer, 1) AS revision,
    f.n::bigint AS n, f.coverage::float8 AS coverage, f.artefacts::bigint AS artefacts, f.mean::float8 AS mean,
    f.sd::float8 AS sd, f.min::float8 AS min, f.p5::float8 AS p5, f.p50::float8 AS p50, f.p95::float8 AS p95,
    f.max::float8 AS max, m.at, m.ends
FROM hearthbeat.minute_messages m
CROSS JOIN LATERAL jsonb_each(m.body -> 'channels') AS c (channel, columns)
CROSS JOIN LATERAL ROWS FROM (
    hearthbeat.minutes_of(m.body -> 'runs'), jsonb_array_elements_text(m.body -> 'revisions'),
    jsonb_array_elements_text(c.columns -> 'n'), jsonb_array_elements_text(c.columns -> 'coverage'),
    jsonb_array_elements_text(c.columns -> 'artefacts'), jsonb_array_elements_text(c.columns -> 'mean'),
    jsonb_array_elements_text(c.columns -> 'sd'), jsonb_array_elements_text(c.columns -> 'min'),
    jsonb_array_elements_text(c.columns -> 'p5'), jsonb_array_elements_text(c.columns -> 'p50'),
    jsonb_array_elements_text(c.columns -> 'p95'), jsonb_array_elements_text(c.columns -> 'max')
) AS f (minute, revision, n, coverage, artefacts, mean, sd, min, p5, p50, p95, max)
WHERE f.n IS NOT NULL;

-- The highest revision of each minute stands, whatever came first; `time` is the minute's beginning.
CREATE VIEW hearthbeat.minutes AS
SELECT DISTINCT ON (home, person, channel, time)
    home, person, channel, time, revision, n, coverage, artefacts, mean, sd, min, p5, p50, p95, max
FROM hearthbeat.told_minutes
ORDER BY home, person, channel, time, revision DESC;

-- The same between two times. Use this for a graph: it reads no more messages than those that tell of the time between.
CREATE FUNCTION hearthbeat.minutes_between(since timestamptz, until timestamptz) RETURNS SETOF hearthbeat.minutes
LANGUAGE sql STABLE AS $$
SELECT DISTINCT ON (home, person, channel, time)
    home, person, channel, time, revision, n, coverage, artefacts, mean, sd, min, p5, p50, p95, max
FROM hearthbeat.told_minutes
WHERE at < until AND ends > since AND time >= since AND time < until
ORDER BY home, person, channel, time, revision DESC
$$;

CREATE VIEW hearthbeat.hours AS
SELECT DISTINCT ON (m.home, m.person, f.channel, m.at)
    m.home, m.person, f.channel, m.at AS time, m.ends, (m.body ->> 'revision')::integer AS revision,
    (f.figures ->> 'n')::bigint AS n, (f.figures ->> 'coverage')::float8 AS coverage,
    (f.figures ->> 'artefacts')::bigint AS artefacts, (f.figures ->> 'mean')::float8 AS mean,
    (f.figures ->> 'sd')::float8 AS sd, (f.figures ->> 'min')::float8 AS min, (f.figures ->> 'p5')::float8 AS p5,
    (f.figures ->> 'p50')::float8 AS p50, (f.figures ->> 'p95')::float8 AS p95, (f.figures ->> 'max')::float8 AS max
FROM hearthbeat.hour_messages m CROSS JOIN LATERAL jsonb_each(m.body -> 'channels') AS f (channel, figures)
ORDER BY m.home, m.person, f.channel, m.at, (m.body ->> 'revision')::integer DESC;

CREATE VIEW hearthbeat.days AS
SELECT DISTINCT ON (m.home, m.person, f.channel, m.at)
    m.home, m.person, f.channel, m.at AS time, m.ends, (m.body ->> 'date')::date AS date, m.body ->> 'zone' AS zone,
    (m.body ->> 'revision')::integer AS revision, (f.figures ->> 'n')::bigint AS n,
    (f.figures ->> 'coverage')::float8 AS coverage, (f.figures ->> 'artefacts')::bigint AS artefacts,
    (f.figures ->> 'mean')::float8 AS mean, (f.figures ->> 'sd')::float8 AS sd, (f.figures ->> 'min')::float8 AS min,
    (f.figures ->> 'p5')::float8 AS p5, (f.figures ->> 'p50')::float8 AS p50, (f.figures ->> 'p95')::float8 AS p95,
    (f.figures ->> 'max')::float8 AS max
FROM hearthbeat.day_messages m CROSS JOIN LATERAL jsonb_each(m.body -> 'channels') AS f (channel, figures)
ORDER BY m.home, m.person, f.channel, m.at, (m.body ->> 'revision')::integer DESC;

CREATE VIEW hearthbeat.assessments AS
SELECT DISTINCT ON (m.home, m.person, r.risk, m.at)
    m.home, m.person, r.risk, m.at AS time, m.ends, (m.body ->> 'revision')::integer AS revision,
    (r.figures ->> 'windows')::bigint AS windows, (r.figures ->> 'assessed')::bigint AS assessed,
    r.figures -> 'without' AS without, (r.figures ->> 'coverage')::float8 AS coverage,
    (r.figures ->> 'p5')::float8 AS p5, (r.figures ->> 'p50')::float8 AS p50, (r.figures ->> 'p95')::float8 AS p95,
    (r.figures ->> 'max')::float8 AS max, r.figures -> 'models' AS models
FROM hearthbeat.assessment_messages m CROSS JOIN LATERAL jsonb_each(m.body -> 'risks') AS r (risk, figures)
ORDER BY m.home, m.person, r.risk, m.at, (m.body ->> 'revision')::integer DESC;

-- Where each alert stands: its end counts before all else, then what was done last, then what came last.
CREATE VIEW hearthbeat.alerts AS
SELECT DISTINCT ON (home, body ->> 'alert')
    home, person, body ->> 'alert' AS alert, body ->> 'kind' AS kind, body ->> 'severity' AS severity,
    body ->> 'state' AS state, to_timestamp((body ->> 'since')::float8) AS since, at AS opened,
    to_timestamp((body ->> 'cleared_at')::float8) AS cleared,
    to_timestamp((body ->> 'acknowledged_at')::float8) AS acknowledged,
    to_timestamp((body ->> 'snoozed_until')::float8) AS snoozed_until, body #>> '{explanation,sentence}' AS sentence,
    received
FROM hearthbeat.alert_messages
ORDER BY home, body ->> 'alert', (body ->> 'cleared_at')::float8 DESC NULLS LAST,
    greatest((body ->> 'acknowledged_at')::float8, (body ->> 'snoozed_until')::float8) DESC NULLS LAST, received DESC;

CREATE VIEW hearthbeat.faults AS
SELECT DISTINCT ON (home, body ->> 'fault')
    home, body ->> 'person' AS person, body ->> 'fault' AS fault, body ->> 'kind' AS kind,
    body ->> 'severity' AS severity, body ->> 'state' AS state, (body ->> 'count')::bigint AS count,
    to_timestamp((body ->> 'since')::float8) AS since, at AS opened,
    to_timestamp((body ->> 'cleared_at')::float8) AS cleared,
    to_timestamp((body ->> 'acknowledged_at')::float8) AS acknowledged, body ->> 'sentence' AS sentence, received
FROM hearthbeat.fault_messages
ORDER BY home, body ->> 'fault', (body ->> 'cleared_at')::float8 DESC NULLS LAST,
    greatest((body ->> 'acknowledged_at')::float8, (body ->> 'snoozed_until')::float8) DESC NULLS LAST, received DESC;

-- Every word of every wearable; the newest one is how it is.
CREATE VIEW hearthbeat.wearables AS
SELECT m.home, m.person, d.one ->> 'device' AS device, m.at AS time, d.one ->> 'link' AS link,
    (d.one ->> 'worn')::boolean AS worn, (d.one ->> 'battery_percent')::float8 AS battery_percent,
    to_timestamp((d.one ->> 'last_heard_at')::float8) AS last_heard, (d.one ->> 'link_losses')::bigint AS link_losses,
    (d.one ->> 'malformed_packets')::bigint AS malformed_packets, (d.one ->> 'coverage')::float8 AS coverage
FROM hearthbeat.device_messages m CROSS JOIN LATERAL jsonb_array_elements(m.body -> 'devices') AS d (one);

CREATE VIEW hearthbeat.systems AS
SELECT home, at AS time, body ->> 'version' AS version, (body ->> 'uptime_s')::float8 AS uptime_s,
    (body ->> 'running_s')::float8 AS running_s, (body ->> 'disk_free_mb')::float8 AS disk_free_mb,
    (body ->> 'disk_total_mb')::float8 AS disk_total_mb,
    (body ->> 'memory_available_mb')::float8 AS memory_available_mb,
    (body ->> 'memory_total_mb')::float8 AS memory_total_mb, (body ->> 'memory_daemon_mb')::float8 AS memory_daemon_mb,
    (body ->> 'temperature_c')::float8 AS temperature_c, (body #>> '{outbox,waiting}')::bigint AS outbox_waiting,
    (body #>> '{outbox,parked}')::bigint AS outbox_parked, (body #>> '{outbox,lost}')::bigint AS outbox_lost,
    body -> 'models' AS models, body -> 'faults' AS faults
FROM hearthbeat.health_messages;
