# The daemon in a container: pinned packages, no build tools, no root.
FROM docker.io/library/python:3.13-slim-trixie AS build

WORKDIR /build
COPY requirements.lock requirements-build.lock ./
RUN python3 -m venv /opt/builder \
    && /opt/builder/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
        --no-deps --only-binary :all: --require-hashes -r requirements-build.lock \
    && python3 -m venv /opt/alvh \
    && /opt/alvh/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
        --no-deps --only-binary :all: --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY config config
COPY market market
COPY risk risk
COPY simulator simulator
COPY strategies strategies
RUN /opt/builder/bin/hatchling build --target wheel \
    && /opt/alvh/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --no-deps --no-index dist/*.whl


FROM docker.io/library/python:3.13-slim-trixie

RUN groupadd --gid 10442 alvh \
    && useradd --no-log-init --no-create-home --uid 10442 --gid 10442 --home-dir /data --shell /usr/sbin/nologin alvh \
    && install --directory --owner alvh --group alvh --mode 0750 /data
COPY --from=build /opt/alvh /opt/alvh
ENV PATH="/opt/alvh/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Journal, gateway state and imported history are kept below the working directory.
WORKDIR /data
VOLUME /data
USER 10442:10442
STOPSIGNAL SIGTERM
ENTRYPOINT ["alvh"]
CMD ["run"]
