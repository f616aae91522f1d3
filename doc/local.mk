# doc: man pages (mdoc); add yours to the list.

dist_man_MANS += \
	$(NULL)
