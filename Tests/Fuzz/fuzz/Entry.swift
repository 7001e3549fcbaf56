import FuzzBodies
import Glibc

/// Which body to run, by the environment: libFuzzer keeps the command line to itself.
private let body: FuzzBody = {
    let name = getenv("FUZZ_BODY").map { String(cString: $0) } ?? ""
    guard let body = FuzzBody(rawValue: name) else {
        fatalError("FUZZ_BODY is '\(name)', and should be one of \(FuzzBody.allCases.map(\.rawValue))")
    }
    return body
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    body.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
