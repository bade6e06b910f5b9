# syntax=docker/dockerfile:1
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/build.txt \
    && python3 -m venv /opt/fluence-watch \
    && /opt/fluence-watch/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY fluence_watch fluence_watch
RUN /opt/build/bin/hatchling build -t wheel -d /dist \
    && /opt/fluence-watch/bin/pip install --no-cache-dir --no-deps /dist/*.whl \
    && /opt/fluence-watch/bin/python -m compileall -q /opt/fluence-watch/lib \
    && /opt/fluence-watch/bin/pip uninstall -q -y pip

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/fluence-watch fluence-watch \
    && install -d -o fluence-watch -g fluence-watch -m 0750 /var/lib/fluence-watch
COPY --from=build /opt/fluence-watch /opt/fluence-watch
ENV PATH=/opt/fluence-watch/bin:$PATH \
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
