FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home indelible && install -d -o indelible /data
WORKDIR /app
COPY requirements/server.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/server.txt
COPY pyproject.toml LICENSE ./
COPY src src
RUN pip install --no-cache-dir --no-deps --no-index --no-build-isolation .
USER indelible
VOLUME /data
EXPOSE 8080
HEALTHCHECK CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/healthz', timeout=5)"]
CMD ["indelible", "serve", "--data", "/data", "--host", "0.0.0.0", "--port", "8080"]
