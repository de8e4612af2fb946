# The service: `docker build -t andon .`, then `docker run -p 8080:8080 -v andon:/var/lib/andon andon`.
# With ANDON_REDIS_URL it keeps nothing of its own; without, its store is in the volume.

FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
COPY deploy/requirements.lock /build/deploy/requirements.lock
RUN /venv/bin/pip install --require-hashes -r /build/deploy/requirements.lock
WORKDIR /build
COPY pyproject.toml README.md CHANGELOG.md LICENSE ./
COPY andon andon
RUN /venv/bin/pip install --no-deps --no-build-isolation .

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --user-group --home-dir /var/lib/andon --create-home --shell /usr/sbin/nologin andon \
    && chmod 700 /var/lib/andon
COPY --from=build /venv /venv
WORKDIR /app
COPY bot bot
COPY adapters adapters
COPY templates templates
RUN ["/venv/bin/python", "-m", "compileall", "-q", "bot", "adapters"]
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ANDON_HOST=0.0.0.0 ANDON_PORT=8080 ANDON_STATE=/var/lib/andon
USER 10001:10001
VOLUME /var/lib/andon
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"ANDON_PORT\"]}/healthz', timeout=2)"]
ENTRYPOINT ["python", "-m", "bot"]
CMD ["serve"]
