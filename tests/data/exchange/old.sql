--
-- PostgreSQL database dump
--

COPY build (id, build) FROM stdin;
1	2980
2	16.04
\.

COPY classification (id, classification, domain, probe) FROM stdin;
4	org.clearlinux/hello/world	org.clearlinux	hello
\.

COPY records (id, severity, machine, machine_id, architecture, kernel_version, os_name, record_format_version, payload_format_version, payload, tsp, tsp_server, buildstamp, backtrace, guilty, dupe_of, dupecount, dupemaster, security, hide, processed, icon, classification_id, build_id, guilty_id, external, colour) FROM stdin;
1	1	blank|blank|blank	66c196ce4222dd761470da5e7e35f6f1	x86_64	4.2.0-120	clear-linux-os	2	1	\\x68656c6c6fe90a	1443573575	1443574619		hello\\n	\N	0	0	f	f	f	f		4	1	\N	f	blue
2	2	\N	m\101\x42	x86_64	4.2.0	ubuntu	2	1	\N	1443573576	1443574620		text\tonly	\N	0	0	f	f	f	f		4	2	\N	t	blue
3	2	h	m	x86_64	4.2.0	ubuntu	2	1	\N	1443573576	1443574621		x	\N	0	0	f	f	f	f		5	2	\N	t	blue
\.

--
-- PostgreSQL database dump complete
--
