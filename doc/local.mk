# doc: man pages (mdoc); add yours to the list.

dist_man_MANS += \
	doc/qmigrate.1 \
	doc/qmigrate-convergence.7 \
	doc/qmigrate-events.7 \
	doc/qmigrate-protocol.7 \
	doc/qmigrate-recovery.7 \
	doc/qmigrate-security.7 \
	doc/qmigrate-storage.7 \
	doc/qmigrate-tls.7 \
	$(NULL)
