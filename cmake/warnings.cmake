# SPDX-License-Identifier: MIT
# Many warnings; errors only where POLLUX_WERROR asks for it, so that a newer compiler never breaks
# a user's build. pollux_build_flags(target) gives a target of this project its flags.
function(pollux_build_flags target)
    target_compile_features(${target} PRIVATE c_std_11)
    set_target_properties(${target} PROPERTIES C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden)
    if(POLLUX_SPARSE_DESCRIPTORS) # it decides what a context looks like
        target_compile_definitions(${target} PRIVATE POLLUX_SPARSE_DESCRIPTORS)
    endif()
    if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
        target_compile_options(${target} PRIVATE
            -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
            -Wmissing-prototypes -Wold-style-definition -Wundef -Wcast-qual -Wcast-align
            -Wwrite-strings -Wpointer-arith -Wswitch-enum -Wvla -Wformat=2 -Wnull-dereference
            -Wdouble-promotion -Wimplicit-fallthrough)
        if(POLLUX_WERROR)
            target_compile_options(${target} PRIVATE -Werror)
        endif()
        if(POLLUX_SANITIZE)
            target_compile_options(${target} PRIVATE -fsanitize=${POLLUX_SANITIZE}
                -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
            target_link_options(${target} PRIVATE -fsanitize=${POLLUX_SANITIZE})
        endif()
    endif()
endfunction()
