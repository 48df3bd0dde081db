-- The rows of an audit log of version 1, whose events have `ts` in place of `timestamp`. Its key has been replaced once.
INSERT INTO audit_log (id, origin, verifier, min_index, pruning, old_verifier, old_until) VALUES (1, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3', 'must/d18025fd-a55a-4213-bca9-6ad0559253e3+ddeda611+AROlXAai0wojvdYHBIwleenpeVJ8HhdbSYXKorhIVy5N', 0, 0, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3+8e9a297b+AYxSntyITMurrqUj/Yj97JB4Ufil9/9BRGi1slsw2mM0', 1796031282180);
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (0, 1795944882056, 'system', 'audit_open', 'success', CAST('{"v":1,"seq":0,"ts":1795944882056,"actor":"system","source":"internal","action":"audit_open","target":"must/d18025fd-a55a-4213-bca9-6ad0559253e3","outcome":"success","correlation_id":"01a226a8-1f88-720f-babb-7e2af357629b","details":{"verifier":"must/d18025fd-a55a-4213-bca9-6ad0559253e3+8e9a297b+AYxSntyITMurrqUj/Yj97JB4Ufil9/9BRGi1slsw2mM0"},"prev":"0000000000000000000000000000000000000000000000000000000000000000"}' AS BLOB), x'6bbea2ec9c940f2f1c120eca28c16e727c7de32aca0da426373537482b83e733');
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (1, 1795944882072, 'system', 'pepper_create', 'success', CAST('{"v":1,"seq":1,"ts":1795944882072,"actor":"system","source":"internal","action":"pepper_create","target":"pepper","outcome":"success","correlation_id":"01a226a8-1f98-7089-ad23-1b7621ff4794","details":{"number":"1"},"prev":"6bbea2ec9c940f2f1c120eca28c16e727c7de32aca0da426373537482b83e733"}' AS BLOB), x'd0745c3427d677f8dfbc922444e8118c5763de8da0eab0a8cd587c9cb335c6e5');
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (2, 1795944882088, 'cli', 'api_key_issue', 'success', CAST('{"v":1,"seq":2,"ts":1795944882088,"actor":"cli","source":"cli","action":"api_key_issue","target":"key:SWKQQHSu8Ljq","outcome":"success","correlation_id":"01a226a8-1fa8-746d-a900-cccbc47947e8","details":{"expires_at":"2027-02-27T09:34:42.088Z","name":"one"},"prev":"d0745c3427d677f8dfbc922444e8118c5763de8da0eab0a8cd587c9cb335c6e5"}' AS BLOB), x'83be53438655c8891751826d9d0a070481baf935a9a23676e2298bfd48e9b431');
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (3, 1795944882096, 'system', 'platform_stop', 'success', CAST('{"v":1,"seq":3,"ts":1795944882096,"actor":"system","source":"internal","action":"platform_stop","target":"platform","outcome":"success","correlation_id":"01a226a8-1fb0-7778-959f-7228161c1b2e","details":{},"prev":"83be53438655c8891751826d9d0a070481baf935a9a23676e2298bfd48e9b431"}' AS BLOB), x'd50a20e15514e16517d370a81c476a6658aaf7ef03a03e10ce8e6a0079407ea8');
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (4, 1795944882158, 'system', 'platform_start', 'success', CAST('{"v":1,"seq":4,"ts":1795944882158,"actor":"system","source":"internal","action":"platform_start","target":"platform","outcome":"success","correlation_id":"01a226a8-1fee-74ee-b4ca-e2a464737721","details":{},"prev":"d50a20e15514e16517d370a81c476a6658aaf7ef03a03e10ce8e6a0079407ea8"}' AS BLOB), x'0c013e017315ac4d0f7c23c3826609d02f1e1c4072083ed1fa0c73c973e15c1d');
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (5, 1795944882180, 'cli', 'audit_key_rotate', 'success', CAST('{"v":1,"seq":5,"ts":1795944882180,"actor":"cli","source":"cli","action":"audit_key_rotate","target":"audit_key","outcome":"success","correlation_id":"01a226a8-1ff9-710f-964f-88083f6e1186","details":{"old_verifier":"must/d18025fd-a55a-4213-bca9-6ad0559253e3+8e9a297b+AYxSntyITMurrqUj/Yj97JB4Ufil9/9BRGi1slsw2mM0","overlap_until":"2026-11-30T09:34:42.180Z","verifier":"must/d18025fd-a55a-4213-bca9-6ad0559253e3+ddeda611+AROlXAai0wojvdYHBIwleenpeVJ8HhdbSYXKorhIVy5N"},"prev":"0c013e017315ac4d0f7c23c3826609d02f1e1c4072083ed1fa0c73c973e15c1d"}' AS BLOB), x'e035a59b2454677d17257ba63430691cc282d13d6a19628144a9047a70d0de50');
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (6, 1795944882184, 'system', 'platform_stop', 'success', CAST('{"v":1,"seq":6,"ts":1795944882184,"actor":"system","source":"internal","action":"platform_stop","target":"platform","outcome":"success","correlation_id":"01a226a8-2008-7092-adf7-984a987b618b","details":{},"prev":"e035a59b2454677d17257ba63430691cc282d13d6a19628144a9047a70d0de50"}' AS BLOB), x'f1c5f96b1837cf57661e83459db5c92e0c040e42cd8012248d9c247cd38e04f6');
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (7, 1795944882218, 'system', 'platform_start', 'success', CAST('{"v":1,"seq":7,"ts":1795944882218,"actor":"system","source":"internal","action":"platform_start","target":"platform","outcome":"success","correlation_id":"01a226a8-202a-7473-9ada-eff1352184d8","details":{},"prev":"f1c5f96b1837cf57661e83459db5c92e0c040e42cd8012248d9c247cd38e04f6"}' AS BLOB), x'165bb672950a0e92921ee37a5e7c89d4809cb3b1bada854b5107d5ecc3b08e6b');
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (8, 1795944882235, 'cli', 'api_key_issue', 'success', CAST('{"v":1,"seq":8,"ts":1795944882235,"actor":"cli","source":"cli","action":"api_key_issue","target":"key:3f5cp029qRSt","outcome":"success","correlation_id":"01a226a8-203a-74a5-b44c-df2c4cc18ffc","details":{"expires_at":"2027-02-27T09:34:42.234Z","name":"two"},"prev":"165bb672950a0e92921ee37a5e7c89d4809cb3b1bada854b5107d5ecc3b08e6b"}' AS BLOB), x'2c1bcf8a856e19b3d3cb15f546ee25d9f751488ab0444526ec69022f8f650675');
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (9, 1795944882240, 'system', 'platform_stop', 'success', CAST('{"v":1,"seq":9,"ts":1795944882240,"actor":"system","source":"internal","action":"platform_stop","target":"platform","outcome":"success","correlation_id":"01a226a8-2040-72b6-b41c-1851615e0951","details":{},"prev":"2c1bcf8a856e19b3d3cb15f546ee25d9f751488ab0444526ec69022f8f650675"}' AS BLOB), x'c941e26efd30ec0ac93fda03f0d9c8569ff6206ff42d47036c6042eff728be90');
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (10, 1795944882278, 'system', 'platform_start', 'success', CAST('{"v":1,"seq":10,"ts":1795944882278,"actor":"system","source":"internal","action":"platform_start","target":"platform","outcome":"success","correlation_id":"01a226a8-2066-7030-81d8-163e001350de","details":{},"prev":"c941e26efd30ec0ac93fda03f0d9c8569ff6206ff42d47036c6042eff728be90"}' AS BLOB), x'e5ecf6f0c7a2f701a8bdb61078ebc2d033cc97e914f4574ded512526e1a53d35');
INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash) VALUES (11, 1795944882378, 'system', 'platform_stop', 'success', CAST('{"v":1,"seq":11,"ts":1795944882378,"actor":"system","source":"internal","action":"platform_stop","target":"platform","outcome":"success","correlation_id":"01a226a8-20ca-74e9-b3e5-fe340258ea14","details":{},"prev":"e5ecf6f0c7a2f701a8bdb61078ebc2d033cc97e914f4574ded512526e1a53d35"}' AS BLOB), x'd3dad5520676a668ce381c180c481bf9fd502864eefceecc792ac4b16ee8cd88');
INSERT INTO audit_node (level, idx, hash) VALUES (1, 0, x'459f62eca506288425350d432c3b1291bd27158975835c8d515eb24d5597b20a');
INSERT INTO audit_node (level, idx, hash) VALUES (1, 1, x'd631d4f8fa01ebaf251f0a47e7a555b4b1339a23798a8c3c106e0969434f0bbb');
INSERT INTO audit_node (level, idx, hash) VALUES (1, 2, x'1f53a575e638dc4ce570b78ad643c8fa75a5be51bda95b3b88140fdf1991ae99');
INSERT INTO audit_node (level, idx, hash) VALUES (1, 3, x'c5438b3081724c21cb3a6597566400461cec28c11e0316176930c144c2e3f94a');
INSERT INTO audit_node (level, idx, hash) VALUES (1, 4, x'be624cbe08464c531c04129664aeb8df9e9c81566616fd28c18e17927939b8a8');
INSERT INTO audit_node (level, idx, hash) VALUES (1, 5, x'a46459e77e6e2e62abab38cfa1861c4b5f8c37e714c1840e7d5136197b24d55b');
INSERT INTO audit_node (level, idx, hash) VALUES (2, 0, x'dbac16d3ddc754e4cdea85ab37e45cc55388506462c93626170560c30c296cc2');
INSERT INTO audit_node (level, idx, hash) VALUES (2, 1, x'5ea3200f2ea18376127fc754cbe3b5f539e74a6b5dced77118d20d49b525c275');
INSERT INTO audit_node (level, idx, hash) VALUES (2, 2, x'97e002d6d30d72450b17d2ea8a24eecd96f9a3d89219e3e46bc4291495372efc');
INSERT INTO audit_node (level, idx, hash) VALUES (3, 0, x'cab5a61338ffb2479ff0d396b0428445b5fdabbc79b24c00e1872b3706a6e09e');
INSERT INTO audit_checkpoint (size, note) VALUES (1, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
1
a76i7JyUDy8cEg7KKMFucnx94yrKDaQmNzU3SCuD5zM=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpopeyu4POHUVjmfnyrPYe4kXfOEiJYeChsYJk/In/f0jX37S6xnNKhhIAsGExVTDuBCm+QvxHZUR5veAmgDVJ7qZwQ=
');
INSERT INTO audit_checkpoint (size, note) VALUES (2, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
2
RZ9i7KUGKIQlNQ1DLDsSkb0nFYl1g1yNUV6yTVWXsgo=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpope2YWC+OFpk6/XmYRX6oycXLrkvSK2tp4xh3u64/JvMTMmlhcW7ZZ7e8b6ltTZYH/gIn9FgLsuK8ML+t2DhYZqQ4=
');
INSERT INTO audit_checkpoint (size, note) VALUES (3, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
3
vDGDPVcJiMwLJQzQ3jRj8ZKjpLqlyLlUiNA8XlWTJOw=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpope1SHNqiSkTDE4eXvXMdqrgpTnxv7+dcBmuLg/VgOBbvOMTAaFIqQORFOOl0sr4TTJqbpD1KVDoahyudUcKuO2gA=
');
INSERT INTO audit_checkpoint (size, note) VALUES (4, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
4
26wW093HVOTN6oWrN+RcxVOIUGRiyTYmFwVgwwwpbMI=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpope20vVWKZo/tU43gDbd9itCF9Esrjw7ykqXnSsib68aiBH/Lqst2hbvuy73ooHQx3oInfCbqjJsOWB/U/j/mdhwo=
');
INSERT INTO audit_checkpoint (size, note) VALUES (5, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
5
3MLRyy2m6zXD4LSUXicvdzFo+9R/xV+5kunJvkPacq0=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpopew7kXe5qFcu3bdqLfztFYgDuIAeLweFCdyJo+diOrdZ31Aq4ZpnPc6Bfzqg477he5J0mmIL9swKEaWl9rRwnkAk=
');
INSERT INTO audit_checkpoint (size, note) VALUES (6, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
6
TyMU5mOw3RInQCik5EUCekDmTp8DD8QlBnD+atktfXo=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 3e2mERyP1pFl6iZYl3KTKVwRM4yRE5g2/8A+5iK2oDHBqdFrphwuE5rkkndZyPN/GRJAnsP41MnxF1JotXRdy8h7FwM=
— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpope4qSzAXy8N7N+k92OTAtKaoOi2I/1j/JLu17L9Zf33wi5OQVzLqXpwt+s5EUAw5ka/kpZgV46Z43ot7aaFfnvAw=
');
INSERT INTO audit_checkpoint (size, note) VALUES (7, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
7
dMr2H3h+AqJq3HlOZnivClo/ePmjnIzCGoUJ12n1oOw=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 3e2mEV1jFGAuqaN0VvmnmsoNFVdY6sG9N1Yx+1SMxqsfmGTOyBv5mPYz9Lk2l96A18pC620v5MZXAla1kMzPiKgAcg0=
— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpope/EAg82LOn0IBSf+yMd6qAX2NU4u2RLcvxp+JjYlmeyhFAkueA0YSIFRLDf4B64rdWKv5ZmVV9kBOd2QXRAq0Qs=
');
INSERT INTO audit_checkpoint (size, note) VALUES (8, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
8
yrWmEzj/skef8NOWsEKERbX9q7x5skwA4YcrNwam4J4=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 3e2mEWu5ZxBcKdHwEdE8naOlOsISdelHST9K59G6X0+xxWwVBecNohTRiObAbuoQHH5i3MW9XeEkLFXKA8FGNnEYlA0=
— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpope2N2dt6tGPXKK5I+JuiCSyzu1n84FLY51XvFFHDB5nFIU6j5w0LGzbR8NRG9lxyh4K80I/6s5bhRUKLR9RRSxw8=
');
INSERT INTO audit_checkpoint (size, note) VALUES (9, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
9
X50iAbozgZdP+yEm9ZHCYwxzT7OlSvE9qM+/Qmbk1H4=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 3e2mEY5wi64XZXeeFGySQ7y/CPuLKAVEXKzECoDjJbSIjOLuOOFOGKk+KbHBp2uYEkWqDocGrRowpHj45u0qJhtGhgc=
— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpopewzke7bAqYAiez3wFzStH391YWS9xaZBmrMHmwoiroGJMc/2vlJNkHGTp8Xux7hclaTF68WRtf7taRAXl55EFA8=
');
INSERT INTO audit_checkpoint (size, note) VALUES (10, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
10
ATvHC2/k7AD9dUcIEEXHzkRa/WQfG7TtT6JfdRFsgwE=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 3e2mETJzjE+bq2vP62IbH+GFLLLV9md/rDGtLr+6lWkVY2Z4ervXx97n9KILfv39K74RlFKWatZz1MUgFwath1VyXQ4=
— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpope0jvxcMzWwSCoNfITHrfmIeLlROm2N1donbuPQqCnY4nIF8q92iYesUu6syBmpLIqXA3ffdB3Er8Z5Kt6CWgbAc=
');
INSERT INTO audit_checkpoint (size, note) VALUES (11, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
11
mGF97/lEldvse4Lmerw/XAnROoudvVVFQ0szHxKNflw=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 3e2mEZVV6MjIjt9t1AFQ1MlTpeRRy2h8JjsjrlySPgwHmLF4anfeYawjyGun7qBLayy1hIZD2PbPY3CH3Xj8fEe5cwY=
— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpopeztLtF/+tzWDN+Gzf1jIH4Q2LCoq8nk6TzqcDp+skgov6BZS02etXV9k9w9Bz4LEnZbKc7SAVRS2em+PsIrwtA4=
');
INSERT INTO audit_checkpoint (size, note) VALUES (12, 'must/d18025fd-a55a-4213-bca9-6ad0559253e3
12
6PDjYCm96kZFXFPWeWMlY/N97M7d8HMwBHPMPg0QbHc=

— must/d18025fd-a55a-4213-bca9-6ad0559253e3 3e2mEScwFH6iD1Smgk//+toCTWuB9mKer0oVYtpL6mjSueeG7StsaJnLrbEmtaNh7lIayEJ6HisDNBift8bGRvtxVwE=
— must/d18025fd-a55a-4213-bca9-6ad0559253e3 jpope6q12v7yv+vsFvHIGAFAbDwrh00Udq+rZytFBeiQwHbIIxInoXt4CjHyrWsLWdqdmCFk3Sj4aZxgXWRC9sNwYQI=
');
