# The Flask application. The base needs python3 with pip: python:3.x-slim has them, and so has a
# Debian image with the packages python3 and python3-pip. Builds with and without BuildKit.
#
# Build arguments: BASE, the base image; BUILD_ID, what /version answers; PIP_INDEX_URL, a package
# index other than pip's own. A file .seatrial/extra-ca.pem in the build context holds certificate
# authorities that pip trusts; it is used in the first stage alone and does not get into the image.
ARG BASE=python:3.12-slim

FROM ${BASE} AS dependencies
ARG PIP_INDEX_URL
WORKDIR /build
# a source with a wildcard may be absent, one without has to be there
COPY app/requirements.txt .seatria[l]/extra-ca.pe[m] ./
RUN if [ -s extra-ca.pem ]; then export PIP_CERT=/build/extra-ca.pem; fi \
    && python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
        --target /opt/app/lib --requirement requirements.txt

FROM ${BASE}
LABEL org.opencontainers.image.title="flask" \
      org.opencontainers.image.description="A small Flask application to put through its sea trial" \
      org.opencontainers.image.licenses="Apache-2.0"
# the root file system is read-only in the cluster
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONPATH=/opt/app/lib
WORKDIR /opt/app
EXPOSE 5000
USER 10001:10001
CMD ["python3", "-m", "app"]
COPY --from=dependencies /opt/app/lib lib
# everything above is the same after a change of the code
COPY app app
ARG BUILD_ID=dev
ENV BUILD_ID=${BUILD_ID}
