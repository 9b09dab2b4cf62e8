a-- OSMO's four tables as its releases up to 6.3 create them, and around them
-- what a whole database has besides: tables whose names begin alike, functions
-- and comments that look like data, values that look like commands.
CREATE TYPE public.credential_type AS ENUM ('GENERIC', 'DATA');

CREATE TABLE public.dataset (
    name text NOT NULL,
    id text NOT NULL,
    created_by text,
    created_date timestamp without time zone,
    is_collection boolean,
    labels jsonb,
    hash_location text,
    hash_location_size bigint,
    last_version integer,
    bucket text NOT NULL,
    CONSTRAINT dataset_pkey PRIMARY KEY (name, bucket),
    CONSTRAINT dataset_id_key UNIQUE (id)
);

CREATE TABLE public.dataset_version (
    dataset_id text NOT NULL,
    version_id text NOT NULL,
    location text,
    status text,
    created_by text,
    created_date timestamp without time zone,
    last_used timestamp without time zone,
    last_updated timestamp without time zone,
    size bigint,
    checksum text,
    retention_policy interval,
    metadata jsonb,
    PRIMARY KEY (dataset_id, version_id),
    FOREIGN KEY (dataset_id) REFERENCES public.dataset(id)
);

CREATE TABLE public.dataset_tag (
    dataset_id text NOT NULL,
    version_id text NOT NULL,
    tag text NOT NULL,
    PRIMARY KEY (dataset_id, version_id, tag)
);

CREATE TABLE public.collection (
    id text NOT NULL,
    dataset_id text NOT NULL,
    version_id text NOT NULL,
    PRIMARY KEY (id, dataset_id)
);

-- The others.
CREATE TABLE public.bucket (name text, "dataset" text, "odd ""name" text);
CREATE TABLE public.dataset_file (dataset_id text, body bytea, n numeric, at timestamptz);
CREATE TABLE public.workflow (id serial PRIMARY KEY, spec text, kind public.credential_type);
CREATE SCHEMA "a-b";
CREATE TABLE "a-b"."Dataset" (name text, id text);
CREATE VIEW public.newest AS
    SELECT id, 'COPY public.dataset (id) FROM stdin;'::text AS lie FROM public.dataset;
CREATE FUNCTION public.lie() RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
    -- INSERT INTO public.dataset VALUES ('no', 'no');
    RETURN $inner$ INSERT INTO dataset (name) VALUES ('no'); $inner$ || '\.';
END;
$body$;
COMMENT ON TABLE public.dataset IS 'INSERT INTO public.dataset (name, id) VALUES (''no'', ''no'');
COPY public.dataset (name, id) FROM stdin;
no	no
\.
/* and no end';
