-- A database of schema version 1 as pg_dump 15 (--inserts --no-owner --no-privileges) wrote it, without its \restrict lines, which
-- only psql reads. It was filled through the store of that version; session …0004 has a position twice, as two processes could give it.

--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: change_kind; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.change_kind AS ENUM (
    'key',
    'app',
    'session'
);

--
-- Name: key_kind; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.key_kind AS ENUM (
    'secret',
    'publishable'
);

--
-- Name: message_role; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.message_role AS ENUM (
    'user',
    'assistant',
    'tool',
    'reasoning'
);

--
-- Name: run_status; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.run_status AS ENUM (
    'queued',
    'running',
    'finished',
    'cancelled',
    'failed',
    'interrupted',
    'removed'
);

--
-- Name: session_status; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.session_status AS ENUM (
    'idle',
    'processing',
    'interrupted'
);

--
-- Name: title_source; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.title_source AS ENUM (
    'start',
    'model',
    'person'
);

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: accounts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.accounts (
    id text NOT NULL,
    plan text DEFAULT 'free'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: apps; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.apps (
    id text NOT NULL,
    definition jsonb NOT NULL,
    updated_at timestamp with time zone NOT NULL
);

--
-- Name: changes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.changes (
    id bigint NOT NULL,
    kind public.change_kind NOT NULL,
    ref text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

--
-- Name: changes_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: key_apps; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.key_apps (
    key_id text NOT NULL,
    app_id text NOT NULL
);

--
-- Name: keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.keys (
    id text NOT NULL,
    account text NOT NULL,
    kind public.key_kind NOT NULL,
    hash text NOT NULL,
    label text,
    scopes jsonb NOT NULL,
    origins jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone
);

--
-- Name: messages; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.messages (
    session_id uuid NOT NULL,
    id text NOT NULL,
    run_id text NOT NULL,
    index integer NOT NULL,
    role public.message_role NOT NULL,
    content text NOT NULL,
    tool_calls jsonb,
    tool_call_id text,
    is_error boolean DEFAULT false NOT NULL,
    interrupted boolean DEFAULT false NOT NULL,
    blocks jsonb,
    created_at timestamp with time zone NOT NULL
)
WITH (fillfactor='80');

--
-- Name: runs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.runs (
    session_id uuid NOT NULL,
    id text NOT NULL,
    status public.run_status NOT NULL,
    parent_run_id text,
    replaces text,
    "position" integer,
    superseded boolean DEFAULT false NOT NULL,
    model text,
    usage jsonb,
    error_code text,
    queued_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    node text,
    fence integer NOT NULL
);

--
-- Name: schema_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_version (
    version integer NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: sessions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.sessions (
    id uuid NOT NULL,
    app text NOT NULL,
    account text,
    user_id text,
    status public.session_status NOT NULL,
    title text,
    title_by public.title_source,
    wallet jsonb,
    model text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);

--
-- Data for Name: accounts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.accounts VALUES ('acme', 'free', '2026-11-26 11:36:07.912523+00');

--
-- Data for Name: apps; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.apps VALUES ('support', '{"id": "support", "name": "Support", "model": {"default": "scripted/demo"}, "tools": ["clock"], "preamble": "Be kind. „Grüße“"}', '2026-01-02 03:04:05.678+00');
INSERT INTO public.apps VALUES ('shop', '{"id": "shop", "name": "Shop", "model": {"default": "scripted/demo"}, "preamble": "Sell."}', '2026-01-02 03:04:06.678+00');

--
-- Data for Name: changes; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.changes OVERRIDING SYSTEM VALUE VALUES (1, 'app', 'support', '2026-11-26 11:36:07.908706+00');
INSERT INTO public.changes OVERRIDING SYSTEM VALUE VALUES (2, 'app', 'shop', '2026-11-26 11:36:07.910886+00');
INSERT INTO public.changes OVERRIDING SYSTEM VALUE VALUES (3, 'key', 'k1', '2026-11-26 11:36:07.914724+00');
INSERT INTO public.changes OVERRIDING SYSTEM VALUE VALUES (4, 'key', 'k2', '2026-11-26 11:36:07.917758+00');
INSERT INTO public.changes OVERRIDING SYSTEM VALUE VALUES (5, 'key', 'k3', '2026-11-26 11:36:07.920898+00');

--
-- Data for Name: key_apps; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.key_apps VALUES ('k1', 'support');
INSERT INTO public.key_apps VALUES ('k1', 'shop');
INSERT INTO public.key_apps VALUES ('k2', 'shop');
INSERT INTO public.key_apps VALUES ('k3', 'shop');

--
-- Data for Name: keys; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.keys VALUES ('k1', 'acme', 'secret', '$argon2id$v=19$m=19456,t=2,p=1$bm90LXJlYWw$bm90LWEtcmVhbC1oYXNo', 'server', '["read", "write", "delete"]', '[]', '2026-01-02 03:04:05.678+00', NULL, NULL, NULL);
INSERT INTO public.keys VALUES ('k2', 'acme', 'publishable', 'c2hhMjU2', NULL, '["read", "write", "delete"]', '["https://shop.example"]', '2026-01-02 03:04:05.678+00', '2026-01-03 03:04:05.678+00', NULL, NULL);
INSERT INTO public.keys VALUES ('k3', 'acme', 'secret', '$argon2id$v=19$m=19456,t=2,p=1$bm90LXJlYWw$bm90LWEtcmVhbC1oYXNo', NULL, '["read", "write", "delete"]', '[]', '2026-01-02 03:04:05.678+00', NULL, '2026-01-02 03:05:05.678+00', '2026-01-02 03:04:55.678+00');

--
-- Data for Name: messages; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000001', 'c1', 'r1', 0, 'user', 'what''s 6*7?
quote '' and \ backslash', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000001', 'r1-1', 'r1', 1, 'reasoning', 'let me think', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000001', 'r1-2', 'r1', 2, 'assistant', '', '[{"id": "t1", "name": "calculator", "arguments": "{\"expression\":\"6*7\"}"}, {"id": "t2", "name": "clock", "arguments": "{}"}]', NULL, false, false, '{"content": [{"type": "thinking", "thinking": "x", "signature": "c2ln"}, {"id": "t1", "type": "tool_use", "input": {"expression": "6*7"}}], "provider": "anthropic"}', '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000001', 'r1-3', 'r1', 3, 'tool', '42', NULL, 't1', false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000001', 'r1-4', 'r1', 4, 'tool', 'no clock', NULL, 't2', true, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000001', 'r1-5', 'r1', 5, 'assistant', '42.', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000002', 'a-0', 'a', 0, 'user', 'text a-0', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000002', 'a-1', 'a', 1, 'assistant', 'text a-1', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000002', 'b-0', 'b', 0, 'user', 'text b-0', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000002', 'c-0', 'c', 0, 'user', 'text c-0', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000002', 'c-1', 'c', 1, 'assistant', 'text c-1', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000003', 'a-0', 'a', 0, 'user', 'text a-0', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000003', 'a-1', 'a', 1, 'assistant', 'text a-1', NULL, NULL, false, true, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000003', 'b-0', 'b', 0, 'user', 'text b-0', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000003', 'b-1', 'b', 1, 'assistant', 'half an ans', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000003', 'c-0', 'c', 0, 'user', 'text c-0', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000003', 'd-0', 'd', 0, 'user', 'text d-0', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000004', 'x-0', 'x', 0, 'user', 'text x-0', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000004', 'x-1', 'x', 1, 'assistant', 'text x-1', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000004', 'p-0', 'p', 0, 'user', 'text p-0', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000004', 'p-1', 'p', 1, 'assistant', 'text p-1', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000004', 'y-0', 'y', 0, 'user', 'text y-0', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000004', 'y-1', 'y', 1, 'assistant', 'text y-1', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000004', 'z-0', 'z', 0, 'user', 'text z-0', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');
INSERT INTO public.messages VALUES ('00000000-0000-4000-8000-000000000004', 'z-1', 'z', 1, 'assistant', 'text z-1', NULL, NULL, false, false, NULL, '2026-01-02 03:04:05.678+00');

--
-- Data for Name: runs; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000001', 'r1', 'finished', NULL, NULL, 1, false, 'scripted/demo', '[{"model": "claude", "provider": "anthropic", "inputTokens": 10, "totalTokens": 30, "outputTokens": 20}]', NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:10.678+00', '111e6c38222e983f', 1);
INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000002', 'a', 'finished', NULL, NULL, 1, true, 'scripted/demo', NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:10.678+00', '111e6c38222e983f', 1);
INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000002', 'c', 'finished', NULL, 'b', 3, false, 'scripted/demo', NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:25.678+00', '2026-01-02 03:04:10.678+00', '111e6c38222e983f', 1);
INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000002', 'b', 'failed', NULL, 'a', 2, true, 'scripted/demo', NULL, 'provider_error', '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:15.678+00', '2026-01-02 03:04:10.678+00', '111e6c38222e983f', 1);
INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000003', 'a', 'cancelled', NULL, NULL, 1, false, 'scripted/demo', NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:10.678+00', '111e6c38222e983f', 1);
INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000003', 'b', 'running', NULL, NULL, 2, false, 'scripted/demo', NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:15.678+00', NULL, '111e6c38222e983f', 1);
INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000003', 'c', 'queued', NULL, NULL, NULL, false, 'scripted/demo', NULL, NULL, '2026-01-02 03:04:16.678+00', NULL, NULL, NULL, 1);
INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000003', 'd', 'removed', NULL, NULL, NULL, false, 'scripted/demo', NULL, NULL, '2026-01-02 03:04:17.678+00', NULL, '2026-01-02 03:04:18.678+00', NULL, 1);
INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000004', 'x', 'finished', NULL, NULL, 1, false, 'scripted/demo', NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:06.678+00', '2026-01-02 03:04:10.678+00', '111e6c38222e983f', 1);
INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000004', 'p', 'finished', NULL, NULL, 2, false, 'scripted/demo', NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:25.678+00', '2026-01-02 03:04:10.678+00', '111e6c38222e983f', 1);
INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000004', 'y', 'interrupted', NULL, NULL, 3, false, 'scripted/demo', NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:35.678+00', '2026-01-02 03:04:10.678+00', '111e6c38222e983f', 1);
INSERT INTO public.runs VALUES ('00000000-0000-4000-8000-000000000004', 'z', 'finished', NULL, NULL, 2, false, 'scripted/demo', NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:04:15.678+00', '2026-01-02 03:04:10.678+00', 'c0153bb3d78720d5', 1);

--
-- Data for Name: schema_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.schema_version VALUES (1, '2026-11-26 11:36:07.840667+00');

--
-- Data for Name: sessions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.sessions VALUES ('00000000-0000-4000-8000-000000000001', 'support', 'acme', 'ann', 'idle', 'My „numbers“ 🦜', 'person', '{"chain": "1", "address": "0xabc"}', 'scripted/demo', '2026-01-02 03:04:05.678+00', '2026-01-02 03:05:45.678+00');
INSERT INTO public.sessions VALUES ('00000000-0000-4000-8000-000000000002', 'default', NULL, NULL, 'idle', 'retry', 'model', NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:05:45.678+00');
INSERT INTO public.sessions VALUES ('00000000-0000-4000-8000-000000000003', 'default', NULL, NULL, 'processing', 'queue', 'start', NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:05:45.678+00');
INSERT INTO public.sessions VALUES ('00000000-0000-4000-8000-000000000004', 'default', NULL, NULL, 'interrupted', 'twice', 'start', NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:05:45.678+00');
INSERT INTO public.sessions VALUES ('00000000-0000-4000-8000-000000000005', 'default', NULL, NULL, 'idle', NULL, NULL, NULL, NULL, '2026-01-02 03:04:05.678+00', '2026-01-02 03:05:45.678+00');

--
-- Name: changes_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.changes_id_seq', 5, true);

--
-- Name: accounts accounts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

--
-- Name: apps apps_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_pkey PRIMARY KEY (id);

--
-- Name: changes changes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (id);

--
-- Name: key_apps key_apps_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.key_apps
    ADD CONSTRAINT key_apps_pkey PRIMARY KEY (key_id, app_id);

--
-- Name: keys keys_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (id);

--
-- Name: messages messages_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (session_id, id);

--
-- Name: runs runs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (session_id, id);

--
-- Name: sessions sessions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

--
-- Name: changes_by_time; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX changes_by_time ON public.changes USING btree (at);

--
-- Name: key_apps_by_app; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX key_apps_by_app ON public.key_apps USING btree (app_id);

--
-- Name: messages_by_run; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX messages_by_run ON public.messages USING btree (session_id, run_id, id);

--
-- Name: runs_by_position; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX runs_by_position ON public.runs USING btree (session_id, "position") WHERE ("position" IS NOT NULL);

--
-- Name: runs_one_running; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX runs_one_running ON public.runs USING btree (session_id) WHERE (status = 'running'::public.run_status);

--
-- Name: runs_queued; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX runs_queued ON public.runs USING btree (session_id) WHERE (status = 'queued'::public.run_status);

--
-- Name: sessions_by_owner; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sessions_by_owner ON public.sessions USING btree (app, account, user_id, updated_at DESC);

--
-- Name: key_apps key_apps_app_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.key_apps
    ADD CONSTRAINT key_apps_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(id) ON DELETE CASCADE;

--
-- Name: key_apps key_apps_key_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.key_apps
    ADD CONSTRAINT key_apps_key_id_fkey FOREIGN KEY (key_id) REFERENCES public.keys(id) ON DELETE CASCADE;

--
-- Name: keys keys_account_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.keys
    ADD CONSTRAINT keys_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(id);

--
-- Name: messages messages_session_id_run_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_session_id_run_id_fkey FOREIGN KEY (session_id, run_id) REFERENCES public.runs(session_id, id) ON DELETE CASCADE;

--
-- Name: runs runs_session_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id) ON DELETE CASCADE;

--
-- PostgreSQL database dump complete
--

