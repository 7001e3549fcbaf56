import Bytes
import HangGuard
import OpenSSL
import Testing

/// Signatures of one key that libcrypto would take if it were not told more, made by `openssl dgst -sigopt rsa_padding_mode:pss`.
@Suite("RSA signatures with another salt or length", .guarded)
struct RSAPaddingTests {
    static let key = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAo8BlpLvxahStFBdP7Hm1
        pNra8tLzTCyWm/IXEb2X7ApXx7iAFOgwa4F2kvkqw2/VM6kbX+PuTIbTrH4MIQXg
        66qtrRxmEkjq0Um0J9JpEwvcMsAo0LJkN/Sat85vjLykWAaLAKyCMAOwCHxgyXaM
        are03yzqKsGxCb/Je6e9MS3hDzjuBZzjWUqUtXVB85Hsf0QY9sepa1V9Ls+ijJpM
        nixmWDxhtChBn+aoSc9WSMyV7/LTsQ0avT6dld6ItbwF9yO23zfue+XpvgcL+eYK
        I17UldbA4P7zvaZvkvuFuGsM0Eu5bCfT24DsXkLKu+qbT+lIh/yQA18B4Q5rR2Uy
        UwIDAQAB
        -----END PUBLIC KEY-----

        """

    /// With a salt of 32 bytes. Its first byte is zero.
    static let good = """
        AAyfDSye2jjZyfMKW67yXvdpJCn93Xn+jbZaFFBg1cVjT1YOhFu3G8WsaixRIOK/HTpmC9ezo8y0xMfRDQ40tdwkjeuTKymgUcrxnoWCIkSNqWgMsB78+373\
        7Jyd+viyqufydoAh9qFYf59awwgn6EmDVPg8xPze4oByeEWoNR7RRbKIzZKQImS4xVbGHHxXYuS/X+ibxCJdmIX9qm4GfY0L387ShAwf5zqxxSc0g2h6j/3T\
        4YAmlC6O2cIMXbrXE+PYWZTe1aZuCcX9zbkTcCN0HCmt7bPmWw/Qg0kQYFu5wuOV6kalmHBypKLhwjWUKbDRdRV5hKbNppf8eVNv9w==
        """

    static let saltOfNothing = """
        V33D3UnzN8hqyHL4nofbugaiW3TmOyXsKTE8gsv+JEhe31hNH2z3J7M4WmX5eVrJuhEU9Ys8NFVC3Qf85UADRscOWFtwkNxPlzbrNeJIlYeWZX/CG3kRIOS0\
        ZkfeNJM5SLkB7fhb0UuDdo9iPY1p7dcoUttHDfRhw/XV29Rl6So1kp7wkvyvLF8zazqdMZZ0EEAyLbu2gQ3k1Ej9XFaHK7xZjOl7F1Rf6tLzz+eVOC+Jodlv\
        ocEyNuke4mEnW3XLxByDNd5rHqdV4c7ZqQKiiD6a1P7gsot5KcLLiCGFdaO5ycKoEoDSgWHQ/Ait4roVRnfdbi53aBIkaMeKB5nmcg==
        """

    static let saltOfTwentyBytes = """
        lAz8ETKtEoPBHyZ/vNPMmCPFqx+Ckej76YBQrIilOAn2RfhvENgFPkYo9tzaHgjL5JAAvYLqsRBWShXtv/+bS9sET8cwpG41J56/JG7TpXwFZByBwtzCKjsD\
        97GFrnvdDV/E264BX2fABgBFrt4ryCpokf5lVIb6Qjenf3bJ4Zm+OdC0wFfQSnwDO0WPNLUkVj2OQL8nklSefLaYDN+wh+28z2DwYOen6w+BUOZ6LAx9JkiH\
        74lWyriAQpM05QETupNAyHnk2iuqmFc9El2MBJDZAO3fzeyA8zXRQ3ZXCYp51tZdjCKbrfD4+ZiyJRwdy4K2taiR0XcXJnz/hVMv5A==
        """

    static let longestSalt = """
        VlNl+q3irVpk/osg2WqaBzcqUCm5EJkJix9RVmozLO/xmDo4WyQgwls0PsuhIyrkwEfTtZzdAZK+Mle7383yfXTY973P5JM38FDzdQQBzFHUAmt7en+o90HL\
        3voO9m0LYvUchxGYIxSWaENSg7cHjZnbWilrm4JFED7nkrcPP7Khsv7UGGsEy/8lOKLJAgXLEYvwcTgriPcYmkL/3fatbiSRD2wEZZ8QzqgxMl0Q/Hpe69QC\
        5kndpoDQRb/PSvF+JO3wsmhksd+7FYJS4p8ghwU3CpX2cS2fQa3b+oRgtu0Wu44MldgIIpIEruqjs1gmHefNUoMnqso77Uzb2HgJQg==
        """

    private func isValid(_ signature: [UInt8]) throws -> Bool {
        let key = try PublicKey(pem: Self.key)
        let message = SignatureTests.message
        return key.isValid(signature.span, for: message.span, scheme: .rsaPSS(.sha256))
    }

    @Test(
        "the salt of PS256 has 32 bytes",
        arguments: [(good, true), (saltOfNothing, false), (saltOfTwentyBytes, false), (longestSalt, false)])
    func salt(text: String, isGood: Bool) throws {
        #expect(try isValid(try #require(Base64.decode(text))) == isGood)
    }

    @Test("a signature keeps its leading zero")
    func leadingZero() throws {
        let signature = try #require(Base64.decode(Self.good))
        try #require(signature.first == 0)
        #expect(try !isValid(Array(signature.dropFirst())))
        #expect(try !isValid([0] + signature))
    }
}
