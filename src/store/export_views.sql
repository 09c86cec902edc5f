-- SPDX-License-Identifier: Apache-2.0
-- What custom views may read: a public interface. Names, order and types of these columns do not change within a
-- major version; columns may be added at the end. docs/custom-views.md tells the same to administrators and a test
-- holds both together. They are made on the connection of each custom query, so the file itself needs no function
-- of ours.
--
-- Plain joins, so that SQLite may begin with whichever table a condition narrows most.

-- One row a record, without its payload.
CREATE TEMP VIEW export_records AS
SELECT
  r.id AS id, -- INTEGER, ascending in the order of storing; joins export_payloads.record_id
  r.received_at AS received_at, -- INTEGER, Unix seconds by the server's clock
  r.captured_at AS captured_at, -- INTEGER, Unix seconds by the sender's clock
  date(r.received_at, 'unixepoch') AS received_day, -- TEXT, YYYY-MM-DD, UTC
  date(r.captured_at, 'unixepoch') AS captured_day, -- TEXT, YYYY-MM-DD, UTC
  c.name AS classification, -- TEXT, DOMAIN/PROBE/REST
  r.severity AS severity, -- INTEGER, 1 low to 4 critical
  b.system_name AS system_name, -- TEXT, empty in record format version 1
  b.build AS build, -- TEXT
  CASE typeof(r.machine_id) WHEN 'blob' THEN lower(hex(r.machine_id)) ELSE r.machine_id END AS machine_id, -- TEXT
  CASE WHEN r.event_id IS NOT NULL THEN lower(hex(r.event_id)) END AS event_id, -- TEXT, NULL before version 4
  f.host_type AS host_type, -- TEXT, sys_vendor|product_name|product_version
  f.board_name AS board_name, -- TEXT, empty before version 3
  f.cpu_model AS cpu_model, -- TEXT, empty before version 3
  f.bios_version AS bios_version, -- TEXT, empty before version 3
  f.kernel_version AS kernel_version, -- TEXT
  f.arch AS arch, -- TEXT
  r.is_external AS is_external, -- INTEGER, 1 from outside, 0 from our own machines
  r.record_format_version AS record_format_version, -- INTEGER, 1 to 4
  r.payload_format_version AS payload_format_version -- INTEGER, NULL in version 1
FROM main.records AS r
JOIN main.classifications AS c ON c.id = r.classification_id
JOIN main.builds AS b ON b.id = r.build_id
JOIN main.profiles AS f ON f.id = r.profile_id;

-- The payloads.
CREATE TEMP VIEW export_payloads AS
SELECT
  p.record_id AS record_id, -- INTEGER, as export_records.id
  payload_text(p.payload) AS payload -- TEXT
FROM main.payloads AS p;

-- How many records each classification has: exact, and read at once.
CREATE TEMP VIEW export_classification_counts AS
SELECT
  c.name AS classification, -- TEXT
  c.records AS records -- INTEGER
FROM main.classifications AS c
WHERE c.records > 0;

-- How many records each build has: exact, and read at once.
CREATE TEMP VIEW export_build_counts AS
SELECT
  b.system_name AS system_name, -- TEXT
  b.build AS build, -- TEXT
  b.records AS records -- INTEGER
FROM main.builds AS b
WHERE b.records > 0;
