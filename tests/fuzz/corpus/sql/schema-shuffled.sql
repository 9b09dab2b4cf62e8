a-- The same tables after years of ALTER TABLE: columns in another order, some
-- dropped, some that a later release added.
CREATE TABLE public.dataset (
    bucket text NOT NULL,
    dropped_1 text,
    labels jsonb,
    id text NOT NULL,
    is_collection boolean,
    hash_location_size bigint,
    "Mixed, (case)" text DEFAULT 'a, (b'::text,
    name text NOT NULL,
    created_date timestamp without time zone,
    hash_location text,
    last_version integer,
    created_by text,
    CONSTRAINT dataset_pkey PRIMARY KEY (bucket, name)
);
ALTER TABLE public.dataset DROP COLUMN dropped_1;

CREATE TABLE public.dataset_version (
    metadata jsonb,
    checksum text,
    size bigint CONSTRAINT size_is_positive CHECK ((size >= 0)),
    last_updated timestamp without time zone,
    last_used timestamp without time zone,
    created_date timestamp without time zone,
    dropped_2 numeric(10,2),
    created_by text,
    status text,
    location text,
    version_id text NOT NULL,
    dataset_id text NOT NULL,
    retention_policy interval
);
ALTER TABLE public.dataset_version DROP COLUMN dropped_2;
ALTER TABLE public.dataset_version ADD COLUMN extra double precision DEFAULT '-1.5e-07'::numeric;

CREATE TABLE public.dataset_tag (tag text, version_id text, dataset_id text);
CREATE TABLE public.collection (version_id text, id text, dataset_id text);
CREATE TABLE public.bucket (name text, "dataset" text, "odd ""name" text);
CREATE TABLE public.dataset_file (dataset_id text, body bytea, n numeric, at timestamptz);
CREATE TYPE public.credential_type AS ENUM ('GENERIC', 'DATA');
CREATE TABLE public.workflow (id serial PRIMARY KEY, spec text, kind public.credential_type);
CREATE SCHEMA "a-b";
CREATE TABLE "a-b"."Dataset" (name text, id text);
