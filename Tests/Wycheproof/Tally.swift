/// What a case should come to, and what it came to.
struct Tally {
    private(set) var passed = 0
    private(set) var failed = 0
    private var excused: Set<String> = []

    /// Cases where this verifier is right to differ from the file.
    static let disagreements: [String: String] = {
        let keyNamesAnother = "the key's alg is not the header's (or is no algorithm): an algorithm is bound to its key"
        let strayCharacter = "a stray '?' inside base64url is ignored by the file, refused by RFC 7515 §2"
        let identical = "byte-identical to the valid case 357: a slip of the file"
        let file = "json_web_signature_test.json"
        return [
            "\(file) 346": keyNamesAnother, "\(file) 347": keyNamesAnother, "\(file) 350": keyNamesAnother, "\(file) 351": keyNamesAnother,
            "\(file) 372": strayCharacter, "\(file) 373": strayCharacter, "\(file) 367": identical, "\(file) 370": identical,
        ]
    }()

    mutating func check(_ file: String, _ id: String, comment: String, expected: Bool, actual: Bool, because reason: String = "") {
        let name = "\(file) \(id)"
        if let excuse = Self.disagreements[name] {
            excused.insert(name)
            if expected == actual {
                fail("\(name) is listed as a disagreement, but agrees (\(excuse))")
            } else {
                passed += 1
                print("differs as listed: \(name) (\(comment)): \(excuse)")
            }
        } else if expected == actual {
            passed += 1
        } else {
            fail("\(name) (\(comment)): the file says \(expected ? "valid" : "invalid"), here \(actual ? "valid" : "invalid") \(reason)")
        }
    }

    mutating func fail(_ what: String) {
        failed += 1
        print("FAILED \(what)")
    }

    mutating func finish() {
        for name in Set(Self.disagreements.keys).subtracting(excused).sorted() {
            fail("\(name) is listed as a disagreement, but did not run")
        }
        print("\(passed) passed, \(failed) failed")
    }
}
