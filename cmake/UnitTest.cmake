# A googletest program is one test of ctest: under the sanitizers, starting it once for each case takes longer than the cases do.
# tests/summarize.py counts the cases by what the program says at its end.
function(gatehouse_unit_test target)
  add_test(NAME ${target} COMMAND ${target})
  set_tests_properties(${target} PROPERTIES LABELS unit TIMEOUT 600)
endfunction()
