/// Symbols as the Python package qrcodegen 1.8.0 encodes them (byte mode, fixed mask): each row is a hexadecimal
/// number whose lowest bit is the rightmost module.
enum ExpectedQRCodes {
    static let all: [(text: String, isLow: Bool, mask: Int, rows: String)] = [
        (
            "A", false, 0,
            """
            1fce7f 105741 17445d 17485d 17595d 104541 1fd57f 300 154612 138846 85d11 150c44 14d555 1eaa 1fc2ef \
            104bb8 175aed 174046 175911 104c46 1fd157
            """
        ),
        (
            "http://192.168.1.20:8080/", true, 3,
            """
            1fd547f 104fc41 175ca5d 175d85d 175325d 1046841 1fd557f 5400 1e5709d 785c82 54fcb0 1b2ca7c ffd877 \
            593ad1 ad29c6 1316209 68fff 18f11 1fc015f 104d510 17461f1 175bf77 175665e 105ca14 1fd4aff
            """
        ),
        (
            "Gerät é😀", false, 5,
            """
            1fcd7f 105841 17525d 17555d 17495d 104e41 1fd57f 1000 105ace 90d5c 14ddde 3994f f4fb1 1554 1fcca2 \
            104d9b 1740c7 174b34 174ad3 104640 1fd682
            """
        ),
        (
            "http://raspberrypi.local:8080/#token=0123456789abcdef0123456789abcdef", false, 2,
            """
            1fc6ad2c7f 104c5e1241 175663875d 17581a0f5d 1753a7f55d 105c45d641 1fd555557f 1fa3c400 17c9e77b7c \
            691702422 15c3818347 100dd0b0e9 1de5181fd7 1486cfe1a2 462f84ed9 3b24d90c0 1fccf09bd7 51dedac2e \
            affba927b 933a7b489 124dbf1bf4 1c3a4361aa 13e3e54ff9 8b842373b fc3a5db57 1e30f82cac 125a018f53 \
            160b509243 15ca5c1fff 15caeb1e 1fceb9815d 105cefe119 175f32bbff 175325efd9 1758768603 104da79171 \
            1fda7e3e7f
            """
        ),
        (
            pattern(7, 150), true, 7,
            """
            1fc7b1fc717f 1051be4d5a41 1759efc8725d 1747b9880b5d 175d8bf6ef5d 105ffb19c841 1fd55555557f \
            1dcf1c9f00 1a628dfbcf76 162f4e69b01d 6d9287bb0ab 159d8d18e540 13fd6c2b78f2 178bda0abea3 bf1635fa9aa \
            21bc2233e7a 77cd69ab2a9 10238e3e106a cf8ced08695 28a8e5116f8 bf527f763f9 1f1a4911a915 1d52cd533d5d \
            1f1e2113c519 9ff75ff39f6 1e025681161d 37de15dcca0 1806804e74c8 cf77fb6595b 6a6c81e114a 15d931a086f7 \
            93f64ea35e1 27736f3621e 1985886b124b 164cf516943 f1721ee12a2 1347cff3b5fb 1c1111951d 1fd1cf550752 \
            104aed1c7511 174f2ff259fc 1758c115b305 17433115f37c 105667d7eb20 1fd586bbaa5e
            """
        ),
        (
            pattern(11, 213), false, 6,
            """
            1fd3ae9e544567f 105618d8fde1241 17593c22c600e5d 174267cd731725d 17537cd7cbe425d 10412a544338441 \
            1fd55555555557f 73a4456b1400 13f22f47c738497 1126a333e7fe5e0 75931656c69cf9 14958fd060e29ff \
            13e0bee31df9e99 38b6039f05f14a f4221241a8292e 50fc43432ab7b7 5fab4dab5a70cb 1b04595664a65bd \
            144ae03aaae895b 133cd4fd9ef59c5 1c52e4f7cbf4e90 1f2b94b9c5dc7c6 de8449fbe58ee7 2327830242ec1d \
            4574c13d17101b 1095f23ec36c37c bf5438fcba03f4 1713a7645ceff16 f5aaa557d6bd5a 317ee144684517 \
            5f23a47d3d21f1 16bcc08a3851647 1cc17b0877c539 15977433b6ef433 12db053f57e34ea 152f3985824885c \
            16ea5f90ddbdeb3 12dc4be215e168 cde12bcd10a21c aaa3dc51081a24 16d8735175e3720 180ddad775b7433 \
            10641eab607036d 1731f0b4bc1b294 1870d6980bb08f8 1ba6ab754dd7b8 14cc5f4066d27d3 1f1b1a7a06cc47c \
            5c8c7fd5357f1 17a5f4526d116 1fdb25557329150 10555094544df17 1756ed7ff92fbf1 175dec52578d6d4 \
            1742b191125a197 10412699c077b4f 1fd5fa52a3181e4
            """
        ),
        (
            pattern(5, 271), true, 1,
            """
            1fdddb965e56e7f 10523c787de8a41 174b190ca6f0e5d 174e3bae82a6a5d 175cb9dfc64e25d 105de4a44f9e441 \
            1fd55555555557f 1c968c7a3d500 1cd15c47d5b58f3 80d6ce13828883 ac439753702c15 c5a487325732 \
            10fa654df1d3dfb 12ad0e848b82a97 1947f96018ca463 3d79236f7a839 16fc7e5bd391f7b 1fae64690a0a20a \
            1076ede0adb4101 3a3cf1a16b3ee1 2cfc455b5b1a11 1fb506268a92ab9 2d2b0bc82533eb 7046f73f691e7b \
            7cb94c19939250 aae606a9b0b8bb 5f24387c6237f9 f1e44d47581f10 1355cd4d7d5b758 719264c79b0b13 \
            19f3839fcad99ff a926802b3c5fa 115cfc541f5d748 3ba2e60b83838e 3565b54ffaa15d 39eb1aa7e771aa \
            1757867a193d36f 1a020620b0a0844 45b46c1d9b03c3 caf71a9dcd9be2 1b5614eb51f1e7b eb4e066e9b9b25 \
            ef4e4eb69f0561 13a9f9295d49223 11c14d44f593a21 1a0ca646da92969 14c1ac3b61f8be7 1f340f772790d58 \
            73cc57d795bfa 108eec5b1bb12 1fc4f0b54e9bf55 105498447a3d518 174f267fd5f5dfc 174f8e27938b870 \
            1757696ff88d1bb 10555a49181e780 1fd976e79d7d679
            """
        ),
    ]

    /// Printable characters in a fixed, irregular order.
    private static func pattern(_ step: Int, _ count: Int) -> String {
        String(decoding: (0..<count).map { UInt8(33 + $0 * step % 94) }, as: UTF8.self)
    }
}
