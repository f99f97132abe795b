"""Why a server was not reached, from what lies beneath the HTTP library's exceptions.

A name that is not known, a port that nobody listens on, a certificate that is not trusted and a
port that speaks something else all come out of the library as "no connection". Each has another
remedy, so the operating system's and TLS's own exceptions are looked for below.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from orchestrator.errors import (
    ClientError,
    ConnectionFailed,
    NameNotResolved,
    NotTheApi,
    ProxyRefused,
    TlsFailed,
)

# OpenSSL's verification codes, by what helps.
_OUT_OF_TIME = frozenset({9, 10})
_OTHER_NAME = frozenset({62, 64})
_ADVICE_TIME = "Renew the certificate on the server; if this machine's clock is wrong, set it"
_ADVICE_NAME = "Write the name that the certificate is made out to into the url"
_ADVICE_TRUST = (
    "If the certificate is right, add its authority to the system's, "
    "or name a file that holds it in SSL_CERT_FILE"
)
_ADVICE_PLAIN = "If the server speaks no TLS there, write http://; else name the port that does"
_ADVICE_NAME_UNKNOWN = "Check the url for a typing error, and this machine's DNS"
_ADVICE_REFUSED = "Check that the server runs and that the url names its port"
_ADVICE_NOT_HTTP = "Check the port; if it speaks TLS, write https://"
_ADVICE_PROXY = (
    "Put a name and password for the proxy into HTTPS_PROXY, or except the server in NO_PROXY"
)
# The parser has one exception for an answer that broke off and for one that is no HTTP.
_NOT_HTTP = "illegal"


def known_cause(exc: Exception, *, host: str, method: str, path: str) -> ClientError | None:
    """Return the error for an exchange that failed for a reason we know, else None.

    Args:
        exc: What the HTTP library, or the engine under it, raised; they name exceptions alike.
        host: The server's name, for the sentence.
        method: Of the request.
        path: Of the same.
    """
    names = {kind.__name__ for kind in type(exc).__mro__}
    if "ConnectError" in names:
        return _unreached(exc, host=host, method=method, path=path)
    if "ProxyError" in names:
        return _proxy_refusal(exc, host=host, method=method, path=path)
    if "RemoteProtocolError" in names and str(exc).startswith(_NOT_HTTP):
        problem = f"what answers at {host} does not speak HTTP on this port"
        return NotTheApi(problem, method=method, path=path, advice=_ADVICE_NOT_HTTP)
    return None


def _unreached(exc: Exception, *, host: str, method: str, path: str) -> ClientError | None:
    for cause in causes(exc):
        match cause:
            case ssl.SSLCertVerificationError():
                why = cause.verify_message.rstrip(".")
                return TlsFailed(
                    f"the certificate of {host} is not trusted: {why}",
                    method=method,
                    path=path,
                    advice=_certificate_advice(cause.verify_code),
                )
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ConnectionResetError():
                # A server that is stopped does this as well, so it may pass.
                problem = f"{host} closed the connection before TLS was agreed"
                return ConnectionFailed(
                    problem, sent=False, method=method, path=path, advice=_ADVICE_PLAIN
                )
            case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE"):
                problem = f"{host} does not speak TLS on this port"
                return TlsFailed(problem, method=method, path=path, advice=_ADVICE_PLAIN)
            case ssl.SSLError():
                why = (cause.reason or "no reason was given").lower().replace("_", " ")
                problem = f"TLS with {host} could not be agreed: {why}"
                return TlsFailed(problem, method=method, path=path)
            case socket.gaierror():
                problem = f"the name {host} is not known"
                if cause.errno == socket.EAI_AGAIN:
                    problem = f"DNS does not answer, so the address of {host} is not known"
                return NameNotResolved(
                    problem, sent=False, method=method, path=path, advice=_ADVICE_NAME_UNKNOWN
                )
            case ConnectionRefusedError():
                problem = f"{host} refused the connection: nothing listens on that port"
                return ConnectionFailed(
                    problem, sent=False, method=method, path=path, advice=_ADVICE_REFUSED
                )
    return None


def _proxy_refusal(exc: Exception, *, host: str, method: str, path: str) -> ClientError:
    # The text begins with the status that the proxy answered.
    status = str(exc)[:3]
    wants_login = status == "407"
    problem = "wants a login before it connects" if wants_login else "refused to connect"
    answer = f" (HTTP {status})" if status.isdecimal() else ""
    return ProxyRefused(
        f"the proxy {problem} to {host}{answer}",
        method=method,
        path=path,
        advice=_ADVICE_PROXY,
    )


def way_to(host: str, *, scheme: str) -> str:
    """Return the server's name, with the proxy that the environment puts in front of it.

    A proxy that is down fails as the server would, and is looked for elsewhere. Its name and
    password stay out.
    """
    proxies = getproxies()
    address = proxies.get(scheme) or proxies.get("all", "")
    if not address or proxy_bypass(host):
        return host
    place = urlsplit(address if "://" in address else f"//{address}").netloc.rpartition("@")[2]
    return f"{host} (by way of the proxy {place})"


def causes(exc: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that led to it; of a group, what its members say."""
    pending: list[BaseException] = [exc]
    seen: set[int] = set()
    while pending:
        current = pending.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions
        following = current.__cause__ or current.__context__
        if following is not None:
            pending.append(following)


def _certificate_advice(code: int) -> str:
    if code in _OUT_OF_TIME:
        return _ADVICE_TIME
    return _ADVICE_NAME if code in _OTHER_NAME else _ADVICE_TRUST
