# syntax=docker/dockerfile:1
# Any image with Python 3.11 or newer and its venv module.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes -r requirements/build.txt \
    && python3 -m venv --without-pip /opt/fluence-watch \
    && /opt/build/bin/pip --python /opt/fluence-watch/bin/python install --no-cache-dir --no-compile --no-deps --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY deploy/image deploy/image
COPY fluence_watch fluence_watch
RUN /opt/build/bin/hatchling build -t wheel -d /dist \
    && /opt/build/bin/pip --python /opt/fluence-watch/bin/python install --no-cache-dir --no-compile --no-deps /dist/*.whl \
    && find /opt/fluence-watch/bin ! -type d ! -name 'python*' ! -name fluence-watch -delete \
    && /opt/fluence-watch/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/fluence-watch/lib \
    && mkdir /doc && cp LICENSE /doc/ \
    && /opt/build/bin/python deploy/image/sbom.py requirements/run.txt /opt/fluence-watch/lib/python3*/site-packages > /doc/sbom.cdx.json

# Python without what builds and installs, and without a program that gives rights. Any user may keep the state.
FROM ${PYTHON_IMAGE} AS system
COPY deploy/image/strip.sh /
RUN sh /strip.sh && rm /strip.sh \
    && echo 'fluence-watch:x:10001:10001::/var/lib/fluence-watch:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'fluence-watch:x:10001:' >> /etc/group \
    && install -d -o 10001 -g 10001 -m 1777 /var/lib/fluence-watch

FROM scratch
ARG PYTHON_IMAGE
ARG REVISION=
LABEL org.opencontainers.image.title="fluence-watch" \
      org.opencontainers.image.description="Monitoring and cost alerts for virtual machines rented on the Fluence marketplace" \
      org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
COPY --from=system / /
COPY --from=build /doc /usr/share/doc/fluence-watch
COPY --from=build /opt/fluence-watch /opt/fluence-watch
ENV PATH=/opt/fluence-watch/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    FLUENCE_WATCH_SERVER__LISTEN=0.0.0.0:9824 \
    FLUENCE_WATCH_STORE__URL=sqlite:////var/lib/fluence-watch/fluence-watch.db
USER 10001
WORKDIR /var/lib/fluence-watch
VOLUME /var/lib/fluence-watch
EXPOSE 9824
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["fluence-watch", "healthcheck"]
ENTRYPOINT ["fluence-watch"]
CMD ["run"]
