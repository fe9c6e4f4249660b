# syntax=docker/dockerfile:1
# Windage: workers, server and commands in one image. Build: docker build -t windage .
#
# Runs as a user without rights on a read-only root; what it writes (`serve` only) goes to /data.
# Give PYTHON a digest (python:3.13-slim-bookworm@sha256:...) to pin the base as well.
ARG PYTHON=python:3.13-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/windage
WORKDIR /source
# The packages change less often than we do, so they have a layer of their own.
COPY requirements-runtime.lock ./
RUN /opt/windage/bin/pip install --require-hashes --no-deps -r requirements-runtime.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY detectors detectors
COPY schemas schemas
COPY streams streams
COPY windage windage
RUN python -m venv /opt/wheel \
 && /opt/wheel/bin/pip install "hatchling>=1.27" \
 && /opt/wheel/bin/python -m hatchling build -t wheel -d /wheel \
 && /opt/windage/bin/pip install --no-deps /wheel/*.whl \
 && /opt/windage/bin/python -m compileall -q /opt/windage/lib

FROM ${PYTHON}
LABEL org.opencontainers.image.title="windage" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin windage \
 && install -d -o windage -g windage /data
COPY --from=build /opt/windage /opt/windage
COPY --from=build /source/LICENSE /source/NOTICE /usr/share/doc/windage/
ENV PATH=/opt/windage/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    # One process is one core; more threads in a matrix product only disturb the neighbours.
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
USER 10001:10001
WORKDIR /etc/windage
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["windage"]
CMD ["--help"]
