dnl Compiler and linker flags that are used only where they are understood.

dnl QM_TRY_CFLAG(VARIABLE, FLAG...)
dnl Append each FLAG that the compiler takes without a warning to VARIABLE.
AC_DEFUN([QM_TRY_CFLAG], [
  for qm_flag in m4_normalize([$2]); do
    AC_MSG_CHECKING([whether $CC takes $qm_flag])
    qm_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $qm_flag"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes]); $1="$$1 $qm_flag"],
      [AC_MSG_RESULT([no])])
    CFLAGS=$qm_saved_CFLAGS
  done
])

dnl QM_TRY_LDFLAG(VARIABLE, FLAG...)
dnl The same for flags of the link.
AC_DEFUN([QM_TRY_LDFLAG], [
  for qm_flag in m4_normalize([$2]); do
    AC_MSG_CHECKING([whether the linker takes $qm_flag])
    qm_saved_LDFLAGS=$LDFLAGS
    LDFLAGS="$LDFLAGS -fPIE $qm_flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes]); $1="$$1 $qm_flag"],
      [AC_MSG_RESULT([no])])
    LDFLAGS=$qm_saved_LDFLAGS
  done
])
