"""Fixed private keys of the certificates that tests and audits use.

THESE KEYS ARE PUBLIC. They stand in a public repository and in every copy of this package, so they protect nothing:
never install a certificate made with them, never trust one of the roots made with them, never use one outside a test.
They are fixed, and not made at run time, because every byte that a test or an audit sends must be the same on every
machine and on every day: findings are replayed and compared by their bytes.
"""

from __future__ import annotations

import enum
from functools import cache
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

KeyKind = Literal["rsa", "ecdsa"]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Owner(enum.Enum):
    """Who holds a key; each holds one RSA-2048 key and one P-256 key."""

    ROOT = "the trust anchor"
    INTERMEDIATE = "the intermediate CA below the trust anchor"
    LEAF = "the server"
    ATTACKER_ROOT = "a CA that nobody trusts"
    ATTACKER_INTERMEDIATE = "the intermediate CA below the CA that nobody trusts"
    ATTACKER_LEAF = "a server certified by the CA that nobody trusts"
    NOBODY = "no party: for signatures that no certificate of a chain can explain"


@cache
def private_key(kind: KeyKind, owner: Owner) -> PrivateKey:
    """The public test key of this kind and owner."""
    key = load_pem_private_key(private_key_pem(kind, owner).encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError(f"the test key {kind} of {owner.name} is a {type(key).__name__}, expected RSA or EC")
    return key


def private_key_pem(kind: KeyKind, owner: Owner) -> str:
    """The public test key of this kind and owner as PKCS#8 PEM without encryption."""
    return (_RSA if kind == "rsa" else _P256)[owner]


_RSA: dict[Owner, str] = {
    Owner.ROOT: """\
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCzR2p9ZJDeABw9
VpcjkprudxuKekmYDhvjOZEBgZ4Fpr4Gicdlk2zec5HI1wcW1GUDtHE/9fwCO/CR
9puhu5tLsI2H1VZm8BWhSghX8EaEToMrjc1SVgVbMqqssQLZZ6C2WQP0jP2/f1eP
0fFB09iahQ94cegg499A1vXKExGYjAm9dyPwK1X4IboYCySy2WHaOJKMXnBEeUc0
rS7yiIRJhttNsoOz3bLVOBZAy7bcrzyCURFPaoHbuYH5QBPrV57gpnxeLnfSfNUZ
jg5FQKFdUd4kyIIIN5b+eXhnBwwv8D9rWbV2EDfY+5dDYNAOTPOw2jQe1CFYNZxg
L2r5nqtxAgMBAAECggEABYkNdSyvOmOHe69aQEttBDLiQ07OSecZnlTvMLw3TFZf
JKWJZg38vQuVcz2MZvyM1+Xw3zgxnUILhf42xPIdc+NSI2EHZ2s/R7kY89oj2z7v
Vt9seP/V74Bre6SFgX/tGuQ5tonJ5elBI1wolk87r12vYhkmQSm4AXEBqskW8H5J
Lezp98cfWe2W3UjquGnpEALwK6GjKLVf3/oeHtaf9aJBlsdC7N1r+bCnVvym/Lfq
ukaxvpCMj/FIhwqgPsr3+DfGQeHSqQ14RyQZYOX9BN6Z/hxBOoug7XOm/3Rp0cse
0kGb+IIizTtEspN03Ygw+pYJavGHlplyFgL/65gX5wKBgQDXmK6xkDUVDKfE3SHY
TbfKEnxlOjuyqOj84T2eR1fB2NNccwTOAFsHNRSpDeIk7lTNzTdkymgxRFpy5eDj
ATJ7H++G+DtMv6sieJ4j2FP+xZczFRIRjAZiThdMQp229orvYWNC7up39dEfqikl
xcYXnZQRPuUad7EFC3s58KxR0wKBgQDU4GQCMkd1etLcIhQ/w9+OTTTpP2+fxR57
HZryZ+ri6+XiCVFURRViCzc43iY8jQNl4+uOoS82BkeoXnArvOOy8UPVn6E+00r7
fIRQROZR5SPhsDoY1ilNWVUFepQPTKImr0LlYyQQzzstCduyghVP/WKZ7Sk4Ew5H
ED/OyQ4/KwKBgFbsaSqQAMbe1llp6rZiB0LCl0Lc6qrKrT0ftw80pm4ydG0mtn4z
6H+MaCsMvOu0554eKkJJ1R5f97OxeS0tE2RO6Oza8lWsRVxdkyzSkHL8yUxAJ4vJ
j91crMoDZcEZv8Rp2HJpD0GUa18/5N0k0ww8bTFS0V4NeeKV0XX30hIfAoGARF8B
n/b4HpJhURSc/lHx5mmDufqG5oDQJmi+0GZx+Yocnnmxpmg90uyZQumOzFnaIoqO
qJO6bxabQ0d5rYKQe3Oj/uOzTVNdvOIkOQe4FcuLt7v7HOkEAPTVKtpQ3Y0Wc2hN
CxHJjqCQeAm3h2DiaXuPhLK4T2tHZamhZNAMhFsCgYEAobpM4sujZe/xl8mAZ3TB
qJ2bEyr0hDZuj6/ydV32k/VrcawpAWr/d5cAyz01ym+7U61p524aDmmwXuj/L0/s
SjR0bd9Lx5nt3ukFTKAPFq5Gs+N/0qZRJoV+KT1St/CgujMdV9ju31hgsL3sNg2X
5wcNpanQ2034PK8okzplk+Y=
-----END PRIVATE KEY-----
""",
    Owner.INTERMEDIATE: """\
-----BEGIN PRIVATE KEY-----
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQDHjJpQrm/CGod3
6XdRugr/x3Q4zc8kzXqMDc4TMOxEfJXnkMOI1GpPe6f8LXs7RJfGP5LEGGEz5CIw
a3cT2ufoht6e+UWA2Nui20PnHO3+AoJQpG+x1+wyNKYf05Z3cU0LRZH2zwmBx4EP
e2wjvZAnZlfGb5M5SaeDQ8NBZROaNb1oRKil2x1TA3hzvYDcA8KcYYWsv4TfpGFi
oV4IBRjmA2xBLj8LB88lRKV0ZoOU96QPxYEOKQBaBZRJmIDL+1XCzRnkSWgduHA4
EfyrqRg8uqcXv1LMzu7dgzRU/naE9YfAMedufKLD3lt1vbAvURZnZzUn7fApl9k/
fDWfNRRvAgMBAAECggEALc7Yk+HfVOMrKvtEwVWgdcQPKYURYsTqt2Dp6Bzod/ZT
oTNpt6zvdKyRzQGR0vK1lrR8WBiyo6tgr9XToZK0fvwK+dqGOoRNsy57gX/yIEfq
K2H8JArJtWLBqfe0CFpRkd9YGRzA9XJbbbbrBa9b+rdzOeHeHZ4LXsY8+fOekt0Q
RB2TUA4DuzjOWmlhkekzwcwXG2UtEZBpABDmGEX8QnvJqVLQx4vCGOXzOdOSS3l5
W9iMMzqnsmg8/KidYMbSGLxCIeU6ixCfSoQBdwTRWvd3b8wHoVs33L2YIztazqii
8uTPW4bd4qk/ysKNiTu8CyLhvFEoK4VLeabUUT6IrQKBgQDyq6Wv7XS7Mzi77JTJ
YMcSCsIX26CBYnAYBRyU+b2EfdNFdvBt6HcCoTw/ngjRevG+LERVki+7SGtDNc7Z
OJ0f3ptd3xHNLg992Spxte2tZN1BzCiysFH/FqEOuP0bpqUOrIQ0rTa9hpRmrPsF
62OIhoucRsLz8TD4Hpc3ta8j/QKBgQDSgpk2enSYb5JaHqIVwS1ujfeF/RYOIxqZ
fIYeT/x6bH4MlUvG5vLi4YB8x2u024ScoxdlfwoBqHgqwjOui66Ly/CvD1gdnZAD
EdvPe9CYnKbK2hUd0f5misQU1ZrvEhZIxqIhqSYVz8dop+EX8DQmT8Do06RRwfYY
oLB6/Qjn2wKBgA7Bcyy0YqGzZqK+qvlnwhMNxmmO+D6Fzs0XGnrQiL6SrBMQPWRh
e0MUrMYthNnAAQ0QQgN2BSL9L1CB6Bb7Q0qZzZayprF0OIrtdpA9gLtHY9DJajwb
TpEVPivYAcP5qRWwVcWiNq7ljQaFRCpC+uVlUP3qq5YLt2+O5KEFkiW9AoGAA97c
3FCSFj9u7HNFvaqooDDCDVei8S2aDppoiOQlm0alZqvUEdsrOhq1VxX/l/q1TH//
LSGR2If1davOcXYmBnIAgeeBUkIUZMoORZlcM4Il2vL5kmvLBq2kf1GSILUvbbUh
RActKReB7h2wGNWUz+OFg4Josgwj7z39ILXIVSMCgYAyUb2YiqGe95ND8UuzpixJ
9Gcr0eVepPrEYRTqqVJCVCJNdNOpBgc2aRxz+Tvi9LReEVePKkZGSSCcKe5SWHU6
h7u7QDRxkOHmOCZMPJp8z3Am2WZwwh894SvWoLunmQaX25qZzxaSdClbYKRx/V9N
2h9FoqSnqQ29+XU5PdfJNw==
-----END PRIVATE KEY-----
""",
    Owner.LEAF: """\
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCnDzm0H39LBroq
VbkvOJLJ74ButZnZA3Pw1KpT8Bnn5yBeGGqdhMmSwtfCyDNCWrpU10pI1Vz6aOok
hHh/W2UZLYJhze3aeQPxtcPrinF+eSqwOGHuAta6wm6ZFzp05rNZnncTjs/GOQfE
ThSWyj3B0LBlUq8+jdl3XsYhtY9IntcNsuvOqXGbmZVbdjKD1zLAyASXv8dkHugD
+lUvCedhBrAYCvLMJOfNNDwt1CgOYRAgE+uZFJXrd7+H8bdXeJBFoi2Zl72fxrBl
c5rdlC0luIpSMcWFl2+kh92sNlBpbZjt79UUjYiNaGnSml9sg6NYDqDO3PRRdmFr
PlAGWTOfAgMBAAECggEADUzDgckOJ8lx0cQAWbeNzCDSnz268VF6jf5ITyVq0pEO
fR9BgafcKmBzr/CjUBGMCwwWwGSoIdFvbpfTRgRfMJl0a1frKzz+KOSZI+viLDj2
QpBCj6HPOZAYIPz97Oee+LAKd9ajSPsqWKEEt5qDPyZfnLlv9TFy0jOL34wmS5gk
szcYpVF8KAmR3opz3v6NbLYrbjoMjCc4VZP9omr4n4H5iejCoMPnSTH2DcClVG9P
dCPizh10GAabJ3xm8IvFogi+9D7S5WSHbg+WxyMyzjbpMb4M7pbatXflbS/0k3LC
Lz+LT6WYIUlk0U2t74oqj0w17hgqeF12AHAkAGBArQKBgQDdKOc6j2uOb3PJ5taB
XtLAItxb9kG+H+XWNUKL2nfdjKJwq+N1Q1J79DGf9fwdomQ7oMNd+bSkmq28E8fn
JWUdqK4onN3aDGBoyYofsXXOIv5IfzoDUcOiSn1LrcXkBD8yhn0ZOK/XHsOsUGM9
qnH8g78W7I8fU9sl4gyKNUAkEwKBgQDBYIZSA8rUZxB69TvMc8WAHxsS3O+1NQYj
2Vll887N31pb1lFRJ0Ddk7emdl5Hv/sq1KwWfbpDIjEEmi+6tRhrSYwsMOsYSUPY
JuoBFf2+yoMi57wvMeZVl1f5/AQlq/24ar+3BDokypdjqOddKnN70zfN3793AP7L
FRkexaDrxQKBgGuKhEXZj7eHQoqfERd/gIOlb/nX2UgWQrDS3TUcWsUEqciYDNbs
kaNsruTVvG68lHjaR6Xe0pRoEqsuAzrG2FB/wZBGFyr8cbUCq4OVy28dXQDrvM34
aGT2S88NBPlHh2OOOi6VfgvhDc0wmdFWnG7psXX4OfBF2n6lWOur0TC5AoGBAIeF
Rv0pTTdn92PEg6D4LZxpsEaa8Z8TxvbOttk9cVxUQHYGD70I/muKv3T4lYBBKhvN
KcElYaj0yFeKWxLFIZTm2UaLDedaSSKtuucB62+PazHGJ9sHZH3tb6lxFdL04v4g
SbVQUBNCq7AbSfG/82j/EKfGO9+Bog7e/VjUdb9lAoGAOuW6wRboWjtyKNu7W6It
jOXmqOkH0MSaShyiYd0mP1ToO/cD8c4wD/lmGkcniRTJjH4H9nvIQIeF4lGppCGz
htVp2oVOe0oEglond2BGzGtBaGKrLlBbp6O6XP7nC5VatZq2ATnaKwSGj2ZBQF/f
6VhkoI7kLA4Cnj3iSj8ec3c=
-----END PRIVATE KEY-----
""",
    Owner.ATTACKER_ROOT: """\
-----BEGIN PRIVATE KEY-----
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCuUU/g83ucCv7i
Q/t7PFMBcQjbXBnKBikszg4/nZxecXgH+JlH3ZXtTeWUEccKqVOjtm2bescSyE5T
5oghIr273OlGkj45icufgZlU8F2bdPUeg+rf32AXbyb8x40rO84kWg8LWIjSNwca
LnTXDD+VZRf5XJD3Y4EM7q+t6z1UAMp4Vnu/h9UYGVbCpRbWYKtWttuvB/LpPsaO
/VYwYrozWeCW5Kj8mEZNDk0ensak9/3ZJVpkJ+kRXreMwFuS/JLfrexPIuOPZzLg
/a/AuJpxDgm5S228jZ+zzh4JOkI3bvfd56eOaISGigS+Q7IE/JO/ev3Ea1Q7Lr+A
SIktFG6TAgMBAAECggEAVGiWQ+jS7awbYQgnQbTjwrpv3fyalktma8Y5ew+AVPEf
/MghvP1s6HSEWy9CkQSONiOTrqqEtDEfUJw8RcNTWaEuqlgNXoI9gfbY/xrHUQwQ
155sQMyi9KYDnHqqfolemBat20IbOqOfwktFk45gSaCiu8JZhhl+N3tqwU48K6zJ
okdIzekOKAjOrxgkuqHcZ2IqFaATi/v8UT3ZnWvpf7YW/DHVQFO4QxjHmFcSUknv
EXZDIxFSwXMpdhe/jEBGX5VJA4n84K2sDqsYKh8XtJVRndVIRt+SSubb7srMZ6Hz
7Q5bvC5aoW17n8Z0W9L01wesWHNc7ejOh91VRtqsPQKBgQD0KhQ5YY92yzRxS9tc
nD9PYNxRc54lyS6RO0aiafP6v3iW48Uow7dUctPKrxS7z71QME7ZxAzB8naLJgTi
IbMqIviLwdJtp9//DnzwPl6UkmRTwQo9cbLmrEisD8LCYMTmlGM3vt9z4dVhqyQY
ry8FTfN4OZiL9FKTHHVzPP/BRQKBgQC2xHr4Fthezs/09RTKqk3lfdI8PiFrWoMS
JjoY+gMo7DjGtOMbtPn+8Umb+HlZvJhDk4Ga8v10sbSfWE2MmftYLUf/MpsOX0DJ
z98zekZK6MAcb0ZjC1MSbFxXbMw+stkqc69WoBrsuR0xK+25XeAa4XpkyyfL8Oam
Fx4BlFPx9wKBgQCrRADfpxFM0Ii+l+kM8wRtl5GzCJh8BLxHXv7S2eMrlbbukGIx
j+c+szTgTSMMAlHWt6v3kE8qk/qW7FosjFrySYlx7si95i126SC2G+mX6X+6SAP4
yZIlv99R4dRJKDu1SYy3A4oV7OkSE0vEjM08uUr4n93i/cQWMLYp2TXEyQKBgBX6
cLMuxBw6kIVrh3GLo0xqogJ+kjQ/sS1YjXn9bq3YIke67uihDcMbrvdjnOwuorzV
mytP9yy2Rfs3ejPjPHdxEoxcwIqs57SdG8Er/hH6BUgmFXfJn9bCUyRsP+92QGk7
eiVXoYVACYOlPbQh1tZEsRw31fRPZt0oQIJ+HM4nAoGBAKrxHM23Mtdz0lcRD06C
ui2iFLmDnT8Lx+f4d9twoIk8kCj67nK7AKjmQsVLAMYoyJz1GJyfJjFmrvL0C3Va
ssV0eB8wFeTW2h1ySO7gyriaqtIg4qO/mo5BJZvX5oyrY5tbTWTVG2s6uTNkiauQ
pQOIqu6qrr7okgPlxvmv/w6K
-----END PRIVATE KEY-----
""",
    Owner.ATTACKER_INTERMEDIATE: """\
-----BEGIN PRIVATE KEY-----
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDMceUE9wfp6IMg
dWSJJSjx9CZu1EQx9Xmh82LJw34c0fae9bcGYcm73lJWEvM42Ls8Aon/xH7QK2Jg
e1RT/tnsrBSV3PA3SgUF3NJy/5sppRsVaLj4+9XbRB0H/xFZZgfH7vA95e65YQ6n
4D17oM1hsEAeuM7ZYZhAt3lRP9qSpO5SQMewVItIqeb1R+MfAUEknK6fVlkiPpzc
jDi+n3kWKgcYM5PAZjkn4Tb/lsmkNN9o9AsdusT4CJqq7Yyv39FsNYVpTr/XfhaB
gZJagSUY3aqddVgxVwh+aHYvNbZhWfpEpJIPCVBWF/nGr4HpSM5p2pQT3cdYAq3Q
m5TE7ir3AgMBAAECggEAOIHabQ7iTxKG+7e2u/lbYdS7srJUzwIsRkkBKwcvmkOm
SLVdixQIMDb4xvWh6DpvNdz1y43CB0OWg1hTLIwqK7I8VlekxYNd9Are2A4yEsah
v78cMSVaLKqc45Lqdq0uxWITYOhmnTJoXJosJDmDytZuQo+ODKNe87RCgeSGQzV4
ctn+pXyYSjZAPCSz6r3Qi9ZvFLPmkRhmlMja3kDlXwacKXJe2WbekMvSIV7dZNch
XyARqqYkeQNd/WIf/bKsIGZsif5kX2mH9GQ31wFRPt9Gb5clP+C/GEMNQoJBtZNp
EjVRNIqFI9bo8p5Al/86U+uFKNT530+/0W5+7onCMQKBgQDpxmY8YyZTgnc512To
T4Zz2D2mLiU8y88WrjSGmkVCwJMUYBw8RihkzNuthfk1YCzN36ozcpSPkl9QwD1Y
IbtpTCcfMuiT8Blbmcjsw9pzgjQz31LrSbSB/LRmFIWEplVechTLDjRPsfAjV8ga
5jBd8fnNwMykuG6w4KaFiHl8bQKBgQDf4alI21aOSIWvfEepC+L/lmJwq0Nv4Ez9
BTltshta8G2M/bOPgLfhTkv2HEwbfeIpXET/dMTubz7a76IU2AwEIp7g/drnDVO5
J19hnwBZHXPTaa7rxhyz/+9JJmzc6ImsVbxqsLtQUP994mEnGbXYTJsVzUjkmtz0
EtUWD9CecwKBgDZAZa9z7wwIRfT1aKSE+BXgRAZRxTCDt85ypRvrp1Ejcb6Tw1m1
imBCLmTpp3jclek9E7mWyKU8+cO6qUHPqjd4hce2v8S9PpVEbh2MIiEWQVkcZZjW
5P4ZkB/0eTvcgglF/k9VP4yTJcB9+aFMdEMJCcjXCmbbqkyABgUNM+xNAoGBAKh/
4fYoxvttj9hk9FZB0QZGfC6KZ8YTDj68qN1r2HTYUct0wqk12q9jS36fC5UBaK9y
d6fAjdtatPb4todzl4+hMuzpgtC1UhcfkAUcM5netecfOnzPbZj3/nOSzQpypfOj
z5yJCWHIpJJtSGuySQ/TkEGXcM5F1BiK9/+TxZMLAoGBAN4kb+BSaYJvDhrr6uKb
jyPNskkTWuCcoGy0BO31YUB7bRwDVv20zdzdLX5xGRlqsex1VscQJKY3mprCIre+
0UoBZQhyXnNvtuXwsxR7cLKTfZkBEXP0swDKiGMUTVvnu1aSFdzW34rrxiMpMSbe
v7997TiSt/6SbQgeXdDdskWX
-----END PRIVATE KEY-----
""",
    Owner.ATTACKER_LEAF: """\
-----BEGIN PRIVATE KEY-----
MIIEugIBADANBgkqhkiG9w0BAQEFAASCBKQwggSgAgEAAoIBAQDM7Fzc5LuXYc/Q
ac1VXKooQz6YVs5w+HU6ylhotRPmNHY5mJ4j/hBSZOo4tAOXXg/T4Lg6+uASXoEt
9Oj/cSqoK0h2nhjD8cJTKEeJdsi+Izg/vWlTNfOYgRjy2A9FPhIXNgRHcrKhCErF
vDgcjE562e5orpvjdob1g4uvDgGvcTJm6t5mv/78Ve8EJCro3f6f4DRi4Xsv9udE
+MK+8p8hjFvtH9HR4GkEfGC0reHoDHjPB1RvE0p+XfwkeEKFgDxVxuvkHwwavcGP
JQUyrw5M3MVmOy8Zqt+o2Mut5VQT2FZDyx2cTLTjZQ9mYtTDlDedMWw1iGUNxzTO
8AN1vCE1AgMBAAECggEABT9jRGPWGvMOBY4EDFTOZbANJQ0KBdIS/HGskGfcrdc3
lNN/7zeFFvsPFWsksWZe/OPDC/2bKdVCNRlRsyLkfwB2v1TemPvyqDr+k/pW+yl/
OgChdxhJV+UsbKGUSIdlorMHKoY5JU8HTSd7/10ncFVu2b7o7or9O0HGXLH84I93
iYl4kK8DJJWsLC8Jv1QsH1Z7TMG3TYsqcXteHAsyKPH0lP9N+CfVf+fZE23ttpZH
g4wFPXzqPyIroudNRpegKQBjxAzYRoWv3LxDly6BI78h1ZfcTAKq57sNxTYXDKQ+
Yc26u2BSCeyh/x0NOBrE6l43kZIldCRJZVxZonTK8QKBgQDpuur8362IbHc2Ct6A
IudiEhBhB1yiCiRajeFu7xHpBbrViE4h5wGYm65l50yo92bgTZUocKjeEjxBHMuI
bl6+FFRlVTDsptvOQQPAfwmIHyBLuiQ1ldw2JDXyi7YsRM+zAiUXDWagU1sYHU33
b/Igpqh7IHFhL4rSJVYZpQWGcQKBgQDgcsu8IbxXu/GsrZSKasG5zUpolNVXkEzP
9nZOwOugAcr2LLOkVJxIdbesbkU/a6vfYwwUMkFuSJpFrWsvBz5caRmhYFm6alEE
XQV+mVGni+0fhmH2+sFxNVJYWXaK4tt7eXYL4Yd6/nOco6UKTVe5NNPFrdNl6ERP
zSTDcWMRBQKBgFqfMHEvQJc+htIbUL2ZyuDJZDRaqF3jVMkPbbKXWvhgUlpsaO7Y
JFRJOEsmbSCuG+Mn8YcmdzLzGw2b3oZdVLqaI0bOyxNWdq73oj7GgqmWd+0klNl5
61HKpGgQJ2funiEn2b2gYoQTDaTB5/LiIpzqQTTMFWm7BzYHZ+S1iPjhAoGAOZx9
ux6Vr5doY0By3kykyUJulQWO9Vjuvnqux2wxjvKm3CWBPu8Q5nCA4tuzHqJOjZpo
4U49CUfNgZEP8BRV53Z6w7dtkLH1db9Cx8om8XCzPuJJhxG6UYq0RkVAbknouHrm
2Andsq5Zkp1WoZxUpg9vRFBn8MJ7tlgb1abnHNkCfzI/GsMwjcjdxyROJIVMFL/9
F/HRYo0B+fedEqmjiC3zAsrkcAluURACE4BPRw1qj8/tbE9c/Bvpom8xLFCo29Hz
0Hm+140vvpYSpmHgvpq0II9X5nnh0zKgJFr53Od0VJ5VHmabNnoW5XQT85vQ405M
Xhg5Sk01IP10xxG4Yr4=
-----END PRIVATE KEY-----
""",
    Owner.NOBODY: """\
-----BEGIN PRIVATE KEY-----
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCaojjbCNL0lNcO
bszbkjFhetNsjiwnoQM6bqqY7lbOv3Nbcg9oe5hLJxFD2eg11HArrTco46Zw++5P
PEtp/jwx/WvC0UDyz78anyeCONVJoUadr/Gx2aSIMshmYwIkPPAsYeh+ThlHe5ie
1qOhnLK5wJZgnkqAyUCR4zIUZHEYwVcs1o3PoKzoeg8qYra7XpQ55e8x46ymLjdy
Qd4qUNSAaqwXIu8i7wWq59lPV6lfRJn94EOBlqkqXVF2jjKEPg5LPqikn0PRQ17v
dNXxiffVoE/9pSphs6E5WuclF+DlkS8rZxvq6r5oJeyJuYWBhrKjZKx3q91ripXl
vnX5e+vtAgMBAAECggEAOlZOFdBH6c7HLWI+te165Lg2UCN45AB6G87JXIW6SShw
KEUpK/VI2L1l5Y+ta7V4Ffo0r5/m2IQq/UiVeOjZo9BkGazhEFmw0qXNfXLcgHkw
D2hjygF+cYWbFglvMuWshEnxsMjc/5tQ0kfOlrdrs+lEsjG1kM2cJw2sBIZ6Jmig
GUzd59Mmupp8pFsLH9vbsH1Hde/fptwvf/qq8CuEMjn3mIs2bZjEJseWkcJgrvHX
d0WSTBlbwu0y4GVxf2lCM4Wx+oMCeAl3CZFrbI8ZW8gisRs4wNcxKkjjyDvSXjq+
TfasvHrr+cXQtVjUFS0249FEzFQnLrRZe1VrUUw8HwKBgQDR0epTHXafUFY2ojGd
g25iHr4VNcBec6foQsaqogeZIZ1/uGbhFcIpgmYMcq+7/RRVB7gNrZYZjosA6BjY
ql1AFF4ZUo8XC9q3PGDSjI/9lcmwglrlkjwo6/Y+Pv+c0nwb03vO06yD3EKwIj78
Gylcp6sJtWdFE9vWA12xokSDfwKBgQC8quSd7CmE8YJcV2LEcKx6ueUNcp8iaaGA
KfH8AprO31HvejtdMezT4TDP4GZHFpEt9W/kGKSiLlUeve276pJMr9MULAG90OsH
KfwxmDv1vHiDys99xdp8dF2Ps2kO0/pkhx5YRDWVXuAWqBp42py5Fla2JAbWgpBV
GxADhOiWkwKBgHgGrxcQubT1Dfx+2AcVEmYK1A3qC7t8ScbxvBgMTHBq7GANqryD
5+g68gmY6bKOWb0yhzU74auJATdpjh0Th/iKLjIqKjSy0VEUtwZ65jvYHeJdD4ZY
GxYFtX1yKGMbfWelmSN9ryhXLcb4MDOjjgu01oDdRtAbRhytHEHrY2odAoGAd6mw
bRWf0+lWNHlcdJm+W+zSAbCEjFARFfgEukFwrOtpzYlqY5bJzi1TR1XdqRMAK/Uy
7apPqWnXpTLzuS9zcV5Hc9DhneIHX7jacx5KUXcjvPuClRRLmoo32XACn1wFwYMN
1RAWKFJPsS8X8zU9GAu6HbZF/AI9xyzuAD1pRC8CgYBGTcbhslQBaL8jrd/tA9lQ
vtQH3pucY3UcEui6dVBeRgRF9v4F8TGKmLe6mwTCmwIYlcN76H+8jqTwv7KjlsH4
pyz6akcYAj9wIdwUpEJwGKgn+DZj5xi8WexW1VZIdYDoInpEv7IP3QzxdT2yoidr
XP03FUMthzd1xZBe0cXKFg==
-----END PRIVATE KEY-----
""",
}

_P256: dict[Owner, str] = {
    Owner.ROOT: """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZdwJhQQHjxp6dWq7
/SpdHB7Z1HbJtF+SdlYz1b2W4RShRANCAATpWSk2GMckkjqATgln526Cp+OIwlxM
w3+WomJ+xVlD2XU7BI1fr9BI6HLgs3nIhf1rZ2gDmoLVbwtsnG6e+z3/
-----END PRIVATE KEY-----
""",
    Owner.INTERMEDIATE: """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4O8t1u8f+Dj3/6Vy
H4xrzNp2WAL66y8qUTzpp8z8zouhRANCAAToYhtqxWuaoE5h85/2iZrNOJJJgwwU
leljQeaS69gPbkXf1dJqvJVKE0OUqjACIfcI60wilqXl0OWWkg41MhDc
-----END PRIVATE KEY-----
""",
    Owner.LEAF: """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+mOup27pjkhA0W27
MdMM44KXJkvBUJQrRRT+yu0G7pmhRANCAASPVCJS0PCW/y+xwxcUyXtqq09pi04k
hm5zdvxVmVezdSWJiMv5htoF9tMbcmWjyRBY9062L6j9dWsC1aBD+6wZ
-----END PRIVATE KEY-----
""",
    Owner.ATTACKER_ROOT: """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzZWWDoPySVs1JNKD
qmzAvQ7MUBpsXObgYZHhfeMedZuhRANCAARR95SuqntRYPElx1jojOwnG1JdrtcE
AwIE71clnhEu83zG42btK0m4CNxDAdJLXkw0bjeP2hxXoWQikQpIVvX2
-----END PRIVATE KEY-----
""",
    Owner.ATTACKER_INTERMEDIATE: """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8NsKeIwe22f4/UxO
9E9QVw5jsaDs3x+kJFYhM9fMM+OhRANCAAT7jOk02Xh8u4+ygo7REK7u/eKbA0HS
FJkJWnxZu/Tf99dHDAFSPT8cUWMeBKmorRcjJMHgP9US44UHGpI4UQVD
-----END PRIVATE KEY-----
""",
    Owner.ATTACKER_LEAF: """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgaiESlAsndJvokD6K
ERwQ4IYy2DoIkQIFUANYBU389hihRANCAAQ1Rck/UQuN+YmWVvOH2AyVVqS/C5WL
pnopJ43VfLtqYp7LI4E3RJpOmoijLY4Om0NhY1QBtgQo/3cRe/dbnB3A
-----END PRIVATE KEY-----
""",
    Owner.NOBODY: """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJpvcESLxou4x97g9
HcnUeU96XRILA/agh0rYPvzGn8ahRANCAATFP85w/m+ExT5Fa4f/CRfoUagFhTYA
PT8Llx/C1Yj967htmAl8MIQ1bWcWaYZaQm0oC3vHYAQeRZcEJbBPZfMt
-----END PRIVATE KEY-----
""",
}
