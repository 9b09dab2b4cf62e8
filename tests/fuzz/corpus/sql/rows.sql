aINSERT INTO public.dataset (name, id, created_by, created_date, is_collection,
                            labels, hash_location, hash_location_size, last_version, bucket) VALUES
('imagenet', 'Yb3kq0HnSHuGuLxg2ZfPzA', 'ada@example.com', '2026-05-01 12:00:00', false,
 '{"team": "vision", "n": 12345678901234567890.5}', 's3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/hashes', 140737488, 4, 'production'),
-- every byte that a dump has to escape
('nasty-labels', '-dashDASHdash_22charsx', E'tab\there\nnewline \\N back\\slash "dq" ''sq'' \x08\x0c\x0b\r \\. $$ é 日本 😀', '2026-05-02 12:00:00.123456', false,
 E'{"tab\\tkey": "a\\tb", "nl": "a\\nb", "quote": "say \\"hi\\" it''s", "back": "C:\\\\temp\\\\new \\\\N \\\\.", "ctl": "\\u0001\\u001f", "null": null, "deep": {"a": [1, -2.50, 1e3, true]}, "é": "日本 😀"}',
 's3://prod/data/-dashDASHdash_22charsx/hashes', 0, 3, 'production'),
('nulls', 'nullsnullsnullsnullsxx', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'production'),
('empty', 'emptyemptyemptyemptyxx', '', '2026-05-03 00:00:00', false, '{}', '', 0, 1, 'production'),
('legacy', 'legacylegacylegacyxxxx', '\N', '2024-01-31 23:59:59', false, '{}', 's3://prod/old/legacy', 77, 1, 'production'),
('robots', '0c9w2m3wR3qv7hJrmZ8qLg', E'\\.', '2026-05-04 00:00:00', true, '{"owner": "lab"}', NULL, NULL, NULL, 'production'),
('imagenet', 'archiveArchiveArchivex', 'bob', '2026-05-05 00:00:00', false, '{}', 's3://arch/x', 1, 1, 'archive'),
('bad name;', 'badbadbadbadbadbadbadx', 'eve', '2026-05-06 00:00:00', false, '{}', 's3://prod/x', 1, 1, 'production');

INSERT INTO public.dataset_version (dataset_id, version_id, location, status, created_by, created_date,
                                    last_used, last_updated, size, checksum, retention_policy, metadata) VALUES
('Yb3kq0HnSHuGuLxg2ZfPzA', '1', 's3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/1.json', 'READY', 'ada@example.com',
 '2026-05-01 12:00:00', '2026-05-20 08:30:00', '2026-05-01 12:00:00', 3145728, '9e107d9d372bb6826bd81d3542a419d6', '30 days', '{"description": ""}'),
('Yb3kq0HnSHuGuLxg2ZfPzA', '2', 's3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/2.json', 'READY', 'ada@example.com',
 '2026-05-03 12:00:00', '2026-05-21 08:30:00', NULL, 7340032, '5d41402abc4b2a76b9719d911017c592', NULL,
 '{"description": "second", "default": {"wfid": "wf-1", "input_data": ["a\tb", "c\\d"]}}'),
('Yb3kq0HnSHuGuLxg2ZfPzA', '3', 's3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/3.json', 'PENDING_DELETE', 'ada@example.com',
 '2026-05-04 12:00:00', NULL, NULL, 7340033, '5d41402abc4b2a76b9719d911017c593', NULL, '{}'),
('Yb3kq0HnSHuGuLxg2ZfPzA', '4', 's3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/4.json', 'PENDING', 'ada@example.com',
 '2026-05-05 12:00:00', NULL, NULL, NULL, NULL, NULL, NULL),
('-dashDASHdash_22charsx', '1', E's3://prod/data/-dashDASHdash_22charsx/man''ifests/\t"1\\.json', 'READY', E'it''s\\me',
 '2026-05-02 12:00:00.999999', NULL, NULL, 9223372036854775807, 'x', NULL, NULL),
('-dashDASHdash_22charsx', '3', 's3://prod/data/-dashDASHdash_22charsx/manifests/3.json', 'DELETED', NULL,
 '2026-05-02 12:00:00', NULL, NULL, 1, 'y', NULL, '{"note": "line\nbreak and \"quotes\" and \\backslash"}'),
('emptyemptyemptyemptyxx', '1', 's3://prod/data/emptyemptyemptyemptyxx/manifests/1.json', 'READY', '', '2026-05-03 00:00:00',
 NULL, NULL, 0, '', NULL, '{}'),
('legacylegacylegacyxxxx', '1', 's3://prod/old/legacy/', 'READY', 'old', '2024-01-31 23:59:59', NULL, NULL, 77, '', NULL, '{}'),
('archiveArchiveArchivex', '1', 's3://arch/x/manifests/1.json', 'READY', 'bob', '2026-05-05 00:00:00', NULL, NULL, 1, 'z', NULL, '{}'),
('badbadbadbadbadbadbadx', '1', 's3://prod/x/manifests/1.json', 'READY', 'eve', '2026-05-06 00:00:00', NULL, NULL, 1, 'z', NULL, '{}');

INSERT INTO public.dataset_tag (dataset_id, version_id, tag) VALUES
('Yb3kq0HnSHuGuLxg2ZfPzA', '2', 'latest'),
('Yb3kq0HnSHuGuLxg2ZfPzA', '1', 'baseline'),
('Yb3kq0HnSHuGuLxg2ZfPzA', '1', '2'),
('Yb3kq0HnSHuGuLxg2ZfPzA', '2', '7'),
('-dashDASHdash_22charsx', '1', 'latest'),
('emptyemptyemptyemptyxx', '1', 'latest'),
('legacylegacylegacyxxxx', '1', 'latest');

INSERT INTO public.collection (id, dataset_id, version_id) VALUES
('0c9w2m3wR3qv7hJrmZ8qLg', 'Yb3kq0HnSHuGuLxg2ZfPzA', '2'),
('0c9w2m3wR3qv7hJrmZ8qLg', '-dashDASHdash_22charsx', '1');

INSERT INTO public.bucket VALUES ('production', E'INSERT INTO public.dataset VALUES (''no'');\n\\.\nCOPY public.dataset (id) FROM stdin;', 'x'), (NULL, '', '\N');
INSERT INTO public.dataset_file VALUES ('x', '\x00ff5c27', -1.50, '2026-05-01 00:00:00+00'), (NULL, NULL, 'NaN', NULL);
INSERT INTO public.workflow (spec, kind) VALUES (E'a: |\n\t$x$ ''quoted'' -- no comment\n\\.\n', 'DATA'), ('/* open', NULL);
INSERT INTO "a-b"."Dataset" VALUES ('not', 'ours');
