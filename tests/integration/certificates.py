"""Certificates made by openssl, for tests."""
import subprocess


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)


def make_self_signed(directory, name, *hosts, days=2):
    """NAME.pem and NAME.key for these hosts and 127.0.0.1; returns both paths."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    names = ",".join([f"DNS:{host}" for host in hosts] + ["IP:127.0.0.1"])
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", days, "-subj", f"/CN={hosts[0]}",
            "-addext", f"subjectAltName={names}", "-keyout", key, "-out", certificate)
    return certificate, key


def make_authority(directory, name):
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2, "-subj", f"/CN={name}",
            "-keyout", key, "-out", certificate)
    return certificate, key


def make_member(directory, name, authority, used_for=None):
    """A certificate that `authority` has signed, for everything or for one purpose ("clientAuth")."""
    certificate, key, request = (directory / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    extensions = []
    if used_for:
        extensions = ["-extfile", directory / f"{name}.ext"]
        extensions[1].write_text(f"extendedKeyUsage={used_for}\n")
    openssl("x509", "-req", "-in", request, "-CA", authority[0], "-CAkey", authority[1], "-CAcreateserial", "-days", 2, "-out", certificate, *extensions)
    return certificate, key
