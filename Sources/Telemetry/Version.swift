/// The version of this build: for `hub --version` and `hub_build_info`. A test compares it with CHANGELOG.md.
package enum Version {
    package static let hub = "0.7.0"

    /// The compiler's version: the language has no constant for it.
    package static let swift = {
        #if compiler(>=6.4)
            "6.4 or newer"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }()
}
